module onemillion

go 1.22
