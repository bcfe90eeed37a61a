"""Generated FastAPI applications, and requests to them, through both tiers of the engine."""
