// The client of the etcd comparison in `triarch bench raft` and `triarch bench failover`: etcd's own Go client (clientv3),
// used as etcd's benchmark tool uses it. It prints JSON objects, one a line.
//
//	etcd_client measure -endpoints LEADER -seconds 5 -clients 1000 -conns 100
//	etcd_client load -endpoints ALL -rate 1000
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// The same as the body of our own bench's commands.
var value = string(make([]byte, 64))

func main() {
	if len(os.Args) < 2 {
		fail("usage: etcd_client measure|load [flags]")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	endpoints := flags.String("endpoints", "", "host:port, with commas between them")
	seconds := flags.Float64("seconds", 5, "of each phase of measure")
	clients := flags.Int("clients", 1000, "puts outstanding at any time in measure")
	conns := flags.Int("conns", 100, "connections that share them")
	rate := flags.Float64("rate", 1000, "puts a second of load")
	check(flags.Parse(os.Args[2:]))
	at := strings.Split(*endpoints, ",")
	switch os.Args[1] {
	case "measure":
		measure(at, time.Duration(*seconds*float64(time.Second)), *clients, *conns)
	case "load":
		load(at, *rate)
	default:
		fail("unknown: " + os.Args[1])
	}
}

func dial(endpoints []string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		DialKeepAliveTime: time.Second, DialKeepAliveTimeout: time.Second,
	})
	check(err)
	return client
}

// measure puts one after the other, then with many outstanding.
func measure(endpoints []string, phase time.Duration, clients, conns int) {
	pool := make([]*clientv3.Client, conns)
	for i := range pool {
		pool[i] = dial(endpoints)
	}
	repeat(pool[:1], 1, min(time.Second, phase/4)) // warm up
	single, _ := repeat(pool[:1], 1, phase)
	many, elapsed := repeat(pool, clients, phase)
	report(map[string]any{
		"p50_ms": percentile(single, 0.50), "p99_ms": percentile(single, 0.99),
		"loaded_p50_ms": percentile(many, 0.50), "loaded_p99_ms": percentile(many, 0.99),
		"commits_per_s": float64(len(many)) / elapsed.Seconds(),
	})
}

// repeat runs clients that put one after the other for as long as the phase is; it returns the durations of the puts.
func repeat(pool []*clientv3.Client, clients int, phase time.Duration) ([]time.Duration, time.Duration) {
	found := make([][]time.Duration, clients)
	began := time.Now()
	var group sync.WaitGroup
	for i := range clients {
		group.Add(1)
		go func() {
			defer group.Done()
			key := fmt.Sprintf("bench/%d", i)
			for time.Since(began) < phase {
				start := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				_, err := pool[i%len(pool)].Put(ctx, key, value)
				cancel()
				check(err)
				found[i] = append(found[i], time.Since(start))
			}
		}()
	}
	group.Wait()
	elapsed := time.Since(began)
	var all []time.Duration
	for _, part := range found {
		all = append(all, part...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all, elapsed
}

// load puts at a steady rate whatever the answers are, until SIGTERM. After each time of 50 ms and more without a success it
// prints when the next one came: nanoseconds of the machine's monotonic clock, which its other processes read too.
func load(endpoints []string, rate float64) {
	pool := []*clientv3.Client{dial(endpoints), dial(endpoints), dial(endpoints), dial(endpoints)}
	var latest atomic.Int64
	var succeeded atomic.Int64
	var printing sync.Mutex
	put := func(i int) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if _, err := pool[i%len(pool)].Put(ctx, fmt.Sprintf("bench/%d", i%1000), value); err != nil {
			return // the cluster has no leader now: that is what is measured
		}
		ended := now()
		before := latest.Swap(ended)
		if succeeded.Add(1) == 1 || ended-before > int64(50*time.Millisecond) {
			printing.Lock()
			defer printing.Unlock()
			report(map[string]any{"success_at": ended, "gap_ms": float64(ended-before) / 1e6})
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	began := time.Now()
	for i := 0; ; i++ {
		select {
		case <-stop:
			report(map[string]any{"succeeded": succeeded.Load()})
			return
		case <-time.After(time.Until(began.Add(time.Duration(float64(i) / rate * float64(time.Second))))):
			go put(i)
		}
	}
}

func now() int64 {
	var at unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &at))
	return at.Nano()
}

func percentile(sorted []time.Duration, share float64) float64 {
	if len(sorted) == 0 {
		fail("no put succeeded")
	}
	return float64(sorted[int(share*float64(len(sorted)-1))].Microseconds()) / 1000
}

func report(fields map[string]any) {
	check(json.NewEncoder(os.Stdout).Encode(fields))
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "etcd_client: "+message)
	os.Exit(1)
}
