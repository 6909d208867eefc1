// A processor without the SDK: plain HTTP to the orchestrator, a plain Redis client to the streams.
//
// It answers each frame with the length and the digest of its payload. Everything that it relies on is written down in
// docs/frames-protocol.md: three HTTP requests and the functions triarch_v2_take, triarch_v2_settle, triarch_v2_renew.
//
//	go run . -id digests-1 -capability digests -orchestrator http://127.0.0.1:8101,http://127.0.0.1:8102
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	prefix = "frames"
	batch  = 16
	wait   = time.Second
)

var levels = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "s"}

// enrolment is what the orchestrator answers to a registration.
type enrolment struct {
	Queue       string  `json:"queue"`
	RedisURL    string  `json:"redis_url"`
	MaxAttempts int     `json:"max_attempts"`
	ResultsKept int     `json:"results_kept"`
	LeaseS      float64 `json:"lease_s"`
}

// frame is a row of take.
type frame struct {
	handle, id, camera, traceparent, payload string
	sequence                                 int64
	attempts                                 int
	missing                                  bool
}

type processor struct {
	id, capability, instance string
	nodes                    []string
	http                     *http.Client
	redis                    *redis.Client
	enrolled                 enrolment

	mutex           sync.Mutex
	inHand          map[string]bool
	settled, errors atomic.Int64
}

var errUnknown = errors.New("the orchestrator does not know this processor")

func main() {
	id := flag.String("id", "digests-1", "unique in the plant")
	capability := flag.String("capability", "digests", "what frames have to ask for")
	nodes := flag.String("orchestrator", "http://127.0.0.1:8101,http://127.0.0.1:8102,http://127.0.0.1:8103", "base URLs")
	flag.Parse()
	p := &processor{
		id:         *id,
		capability: *capability,
		instance:   randomHex(16),
		nodes:      strings.Split(*nodes, ","),
		http:       &http.Client{Timeout: 3 * time.Second},
		inHand:     map[string]bool{},
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	if err := p.run(stop); err != nil && stop.Err() == nil {
		log.Fatal(err)
	}
}

func (p *processor) run(stop context.Context) error {
	if err := p.register(stop); err != nil {
		return err
	}
	client, err := connect(p.enrolled.RedisURL)
	if err != nil {
		return err
	}
	p.redis = client
	defer p.redis.Close()

	// Heartbeats and renewals go on while what is in hand is finished after a signal.
	background, ended := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	var both sync.WaitGroup
	both.Add(2)
	go func() { defer both.Done(); failed <- p.beat(background) }()
	go func() { defer both.Done(); p.renew(background) }()
	working, abort := context.WithCancelCause(stop)
	go func() {
		if err := <-failed; err != nil {
			abort(err)
		}
	}()
	p.work(working)
	ended()
	both.Wait()
	if cause := context.Cause(working); stop.Err() == nil && cause != nil {
		return cause
	}
	_, err = p.ask(context.Background(), "DELETE", "/processors/"+p.id, nil)
	return err
}

// work takes frames until it is told to stop, and settles each.
func (p *processor) work(stop context.Context) {
	p.giveBack(stop)
	seen, own := map[string]string{}, false
	for stop.Err() == nil {
		from := ">"
		if own {
			from = "0" // frames whose reply was lost are pending under this consumer
		}
		frames, err := p.take(context.Background(), from, -1)
		if err != nil {
			log.Printf("take: %v", err)
			own, seen = true, map[string]string{}
			pause(stop, 200*time.Millisecond)
			continue
		}
		for _, one := range frames {
			level, entry := split(one.handle)
			if newer(entry, seen[level]) {
				seen[level] = entry
			}
		}
		if len(frames) > 0 {
			p.process(frames)
			continue
		}
		if own {
			own = false
			continue
		}
		p.news(stop, seen)
	}
}

// giveBack sends what a process of this id that died had in hand to another attempt.
func (p *processor) giveBack(stop context.Context) {
	for stop.Err() == nil {
		frames, err := p.take(context.Background(), "0", 0)
		if err == nil && len(frames) == 0 {
			return
		}
		if err == nil {
			var said []any
			for _, one := range frames {
				said = append(said, one.handle, "error", "processor_died")
			}
			_, err = p.settle(said)
		}
		if err != nil {
			log.Printf("frames of the process before: %v", err)
			pause(stop, 200*time.Millisecond)
		}
	}
}

func (p *processor) process(frames []frame) {
	p.hold(frames, true)
	defer p.hold(frames, false)
	said := make([]any, 0, 3*len(frames))
	for _, one := range frames {
		if one.missing {
			said = append(said, one.handle, "dead", "payload_missing")
			continue
		}
		digest := sha256.Sum256([]byte(one.payload))
		said = append(said, one.handle, "ok", p.result(one, map[string]any{
			"bytes": len(one.payload), "sha256": hex.EncodeToString(digest[:]),
		}))
	}
	for {
		outcomes, err := p.settle(said)
		if err == nil {
			for _, outcome := range outcomes {
				// "not-owner" and "duplicate": it was said before, or the frame is another's by now
				if outcome == "settled" {
					p.settled.Add(1)
				} else if outcome == "retry" {
					p.errors.Add(1)
				}
			}
			return
		}
		log.Printf("settle: %v", err)
		time.Sleep(200 * time.Millisecond)
	}
}

// take calls the function; a row is {handle, head, event, payload}, the payload nil when it is gone.
func (p *processor) take(ctx context.Context, from string, claimIdleMS int) ([]frame, error) {
	reply, err := p.redis.Do(ctx, "FCALL", "triarch_v2_take", 1, prefix, p.id, p.consumer(), batch, from, claimIdleMS).Slice()
	if err != nil {
		return nil, err
	}
	frames := make([]frame, 0, len(reply))
	for _, row := range reply {
		values, _ := row.([]any)
		if len(values) < 3 {
			return nil, fmt.Errorf("take: a row of %d values", len(values))
		}
		// frame_id camera_id sequence capability priority attempts published_ms parts traceparent
		head := strings.Split(values[1].(string), " ")
		if len(head) != 9 {
			return nil, fmt.Errorf("take: a head of %d parts", len(head))
		}
		one := frame{handle: values[0].(string), id: head[0], camera: head[1], traceparent: head[8], missing: true}
		one.sequence, _ = strconv.ParseInt(head[2], 10, 64)
		one.attempts, _ = strconv.Atoi(head[5])
		if len(values) > 3 {
			if payload, there := values[3].(string); there {
				one.payload, one.missing = payload, false
			}
		}
		frames = append(frames, one)
	}
	return frames, nil
}

// resultsKept is what every settle has to say; a node of a version that does not know it gives none.
func (e enrolment) resultsKept() int {
	if e.ResultsKept > 0 {
		return e.ResultsKept
	}
	return 100_000
}

func (p *processor) settle(said []any) ([]string, error) {
	call := []any{"FCALL", "triarch_v2_settle", 1, prefix, p.id, p.consumer(), p.enrolled.MaxAttempts, p.enrolled.resultsKept()}
	return p.redis.Do(context.Background(), append(call, said...)...).StringSlice()
}

// renew starts the leases of what is in hand anew, three times a lease.
func (p *processor) renew(ctx context.Context) {
	every := time.Duration(p.enrolled.LeaseS / 3 * float64(time.Second))
	for pause(ctx, every) {
		call := []any{"FCALL", "triarch_v2_renew", 1, prefix, p.id, p.consumer()}
		p.mutex.Lock()
		for handle := range p.inHand {
			call = append(call, handle)
		}
		p.mutex.Unlock()
		if len(call) == 6 {
			continue
		}
		if err := p.redis.Do(ctx, call...).Err(); err != nil && ctx.Err() == nil {
			log.Printf("renew: %v", err)
		}
	}
}

// news waits until a level of the queue has an entry that was not seen yet, or for a second.
func (p *processor) news(stop context.Context, seen map[string]string) {
	streams := make([]string, 0, 2*len(levels))
	for _, level := range levels {
		key := p.enrolled.Queue
		if level != "0" {
			key += ":p" + level
		}
		streams = append(streams, key)
	}
	for _, level := range levels {
		last := seen[level]
		if last == "" {
			last = "0-0"
		}
		streams = append(streams, last)
	}
	err := p.redis.XRead(stop, &redis.XReadArgs{Streams: streams, Count: 1, Block: wait}).Err()
	if err == nil {
		// A suspect may have to wait until nothing else is in hand: it is news, and cannot be taken yet.
		pause(stop, 5*time.Millisecond)
	} else if !errors.Is(err, redis.Nil) {
		pause(stop, 200*time.Millisecond)
	}
}

// result is the JSON document that every processor publishes.
func (p *processor) result(one frame, found map[string]any) string {
	trace, parent := map[string]any{"trace_id": randomHex(16), "span_id": randomHex(8), "trace_flags": "01"}, any(nil)
	if parts := strings.Split(one.traceparent, "-"); len(parts) == 4 {
		trace["trace_id"], trace["trace_flags"], parent = parts[1], parts[3], parts[2]
	}
	document, err := json.Marshal(map[string]any{
		"frame_id": one.id, "camera_id": one.camera, "sequence": one.sequence, "processor_id": p.id,
		"trace_context": trace, "parent_span_id": parent, "attempts": one.attempts + 1, "result": found,
	})
	if err != nil {
		panic(err) // it holds nothing that JSON has not
	}
	return string(document)
}

// -- the orchestrator --------------------------------------------------------------------------------------------------

func (p *processor) register(ctx context.Context) error {
	body, _ := json.Marshal(map[string]any{"id": p.id, "capabilities": []string{p.capability}, "capacity": 2 * batch})
	for {
		answer, err := p.ask(ctx, "POST", "/processors/register", body)
		if err == nil {
			return json.Unmarshal(answer, &p.enrolled)
		}
		log.Printf("register: %v", err)
		if !pause(ctx, 500*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// beat tells the orchestrator every second that this process lives, and registers again when it was forgotten.
func (p *processor) beat(ctx context.Context) error {
	for pause(ctx, time.Second) {
		p.mutex.Lock()
		inFlight := len(p.inHand)
		p.mutex.Unlock()
		report := map[string]int64{"in_flight": int64(inFlight), "settled": p.settled.Load(), "errors": p.errors.Load()}
		body, _ := json.Marshal(report)
		_, err := p.ask(ctx, "POST", "/processors/"+p.id+"/heartbeat", body)
		if errors.Is(err, errUnknown) {
			if err := p.register(ctx); err != nil {
				return err
			}
		} else if errors.Is(err, errTaken) {
			return err
		} else if err != nil && ctx.Err() == nil {
			log.Printf("heartbeat: %v", err)
		}
	}
	return nil
}

var errTaken = errors.New("another process has this id now")

// ask goes to the nodes in turn: any of them answers for the cluster.
func (p *processor) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	var last error
	for range p.nodes {
		answer, status, err := p.askOne(ctx, p.nodes[0], method, path, body)
		switch {
		case err != nil:
			last = err
		case status < 300:
			return answer, nil
		case status == http.StatusNotFound && !strings.HasSuffix(path, "/register"):
			return nil, errUnknown
		case status == http.StatusConflict && strings.Contains(string(answer), "processor_changed"):
			return nil, errTaken
		default:
			last = fmt.Errorf("%s: %d %s", p.nodes[0], status, answer)
		}
		p.nodes = append(p.nodes[1:], p.nodes[0])
	}
	return nil, last
}

func (p *processor) askOne(ctx context.Context, node, method, path string, body []byte) ([]byte, int, error) {
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(node, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Processor-Token", p.instance)
	request.Header.Set("Idempotency-Key", randomHex(16))
	if token := os.Getenv("TRIARCH_TOKEN"); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := p.http.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return answer, response.StatusCode, err
}

// -- odds and ends -----------------------------------------------------------------------------------------------------

func (p *processor) consumer() string { return p.id + "-1" }

func (p *processor) hold(frames []frame, held bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, one := range frames {
		if held {
			p.inHand[one.handle] = true
		} else {
			delete(p.inHand, one.handle)
		}
	}
}

// split takes a handle apart: "1764-0" is of level 0, "5:1764-0" of level 5.
func split(handle string) (level, entry string) {
	if level, entry, levelled := strings.Cut(handle, ":"); levelled {
		return level, entry
	}
	return "0", handle
}

// newer says whether one entry id comes after another; an empty one is before all.
func newer(entry, than string) bool {
	if than == "" {
		return true
	}
	a, b := numbers(entry), numbers(than)
	return a[0] > b[0] || (a[0] == b[0] && a[1] > b[1])
}

func numbers(entry string) [2]int64 {
	milliseconds, number, _ := strings.Cut(entry, "-")
	first, _ := strconv.ParseInt(milliseconds, 10, 64)
	second, _ := strconv.ParseInt(number, 10, 64)
	return [2]int64{first, second}
}

// pause sleeps; false when the context ended first.
func pause(ctx context.Context, duration time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(duration):
		return true
	}
}

func randomHex(size int) string {
	random := make([]byte, size)
	if _, err := rand.Read(random); err != nil {
		panic(err)
	}
	return hex.EncodeToString(random)
}
