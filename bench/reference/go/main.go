// The One Million Request Challenge as a Go programmer writes it: net/http, a sync.Map of
// users and atomic totals.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const maxBodyBytes = 1 << 20

// event has pointers, so that a missing field and null can be told from zero.
type event struct {
	UserID *string  `json:"userId"`
	Value  *float64 `json:"value"`
}

// atomicFloat is a float64 to which many goroutines add.
type atomicFloat struct{ bits atomic.Uint64 }

func (f *atomicFloat) load() float64 { return math.Float64frombits(f.bits.Load()) }

func (f *atomicFloat) add(v float64) {
	for {
		old := f.bits.Load()
		if f.bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

type totals struct {
	requests atomic.Uint64
	users    atomic.Uint64
	sum      atomicFloat
	seen     sync.Map
}

func (t *totals) add(user string, value float64) {
	if _, known := t.seen.LoadOrStore(user, struct{}{}); !known {
		t.users.Add(1)
	}
	t.sum.add(value)
	t.requests.Add(1)
}

// decimal is written as Python and Rust write a float: 7.0 and not 7.
type decimal float64

func (d decimal) MarshalJSON() ([]byte, error) {
	text := strconv.FormatFloat(float64(d), 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return []byte(text), nil
}

func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}

// refusal is 400 for what is no JSON, 422 for JSON that is no event.
func refusal(e *event, err error) int {
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return http.StatusUnprocessableEntity
	case err != nil:
		return http.StatusBadRequest
	case e.UserID == nil || e.Value == nil:
		return http.StatusUnprocessableEntity
	}
	return 0
}

func (t *totals) serveEvent(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		answer(w, http.StatusBadRequest, []byte(`{"error":"the body cannot be read"}`))
		return
	}
	var e event
	if status := refusal(&e, json.Unmarshal(body, &e)); status != 0 {
		answer(w, status, []byte(`{"error":"an event has userId, a string, and value, a number"}`))
		return
	}
	t.add(*e.UserID, *e.Value)
	answer(w, http.StatusOK, []byte(`{"status":"ok"}`))
}

func (t *totals) serveStats(w http.ResponseWriter, r *http.Request) {
	n, sum, average := t.requests.Load(), t.sum.load(), 0.0
	if n != 0 {
		average = sum / float64(n)
	}
	body, err := json.Marshal(struct {
		Requests uint64  `json:"totalRequests"`
		Users    uint64  `json:"uniqueUsers"`
		Sum      decimal `json:"sum"`
		Average  decimal `json:"avg"`
	}{n, t.users.Load(), decimal(sum), decimal(average)})
	if err != nil {
		answer(w, http.StatusInternalServerError, []byte(`{"error":"the totals are not finite"}`))
		return
	}
	answer(w, http.StatusOK, body)
}

func main() {
	port := flag.Int("port", 8000, "of 127.0.0.1 to listen on")
	flag.Parse()
	if flag.NArg() != 0 {
		fmt.Fprintln(os.Stderr, "usage: one_million_go [-port N]")
		os.Exit(2)
	}
	t := &totals{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /event", t.serveEvent)
	mux.HandleFunc("GET /stats", t.serveStats)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(*port))
	log.Fatal(http.ListenAndServe(address, mux))
}
