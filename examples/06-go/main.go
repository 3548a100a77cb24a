//go:build wasip1

// Fetches a page three times with a pause between: a Go program whose calls are durable.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"mvm-ci.example/go-fetches/mvm"
)

const rounds = 3

func main() {
	result, err := run()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type result struct {
	Statuses []uint32 `json:"statuses"`
	Bytes    []int    `json:"bytes"`
}

func run() (*result, error) {
	var input struct{ URL string }
	if err := json.NewDecoder(os.Stdin).Decode(&input); err != nil || input.URL == "" {
		return nil, fmt.Errorf(`the input must be {"url":"…"}: %v`, err)
	}
	all := &result{}
	for round := 1; round <= rounds; round++ {
		if round > 1 {
			time.Sleep(250 * time.Millisecond)
		}
		answer, err := mvm.Fetch(mvm.Request{URL: input.URL})
		if err != nil {
			return nil, err
		}
		all.Statuses = append(all.Statuses, answer.Status)
		all.Bytes = append(all.Bytes, len(answer.Body))
		fmt.Fprintf(os.Stderr, "%d of %d: %d\n", round, rounds, answer.Status)
		mvm.Progress(100*float64(round)/rounds, "fetched")
	}
	return all, nil
}
