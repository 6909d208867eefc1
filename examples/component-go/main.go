// A component in Go, with nothing but the standard library: docs/component-protocol.md says what it may rely on.
//
//	go run . -id belt-1 -orchestrator http://127.0.0.1:8101,http://127.0.0.1:8102
//
// It registers, sends heartbeats, does each command once per idempotency key, reports its state, and tells the
// orchestrator when the belt has moved. Every effect is one line on standard output, so that a doubled one would be seen.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	bodyMax    = 256 << 10
	keysMax    = 1000
	heartbeatS = 1.0
)

type event struct {
	ID          string          `json:"id,omitempty"`
	Type        string          `json:"type"`
	Source      string          `json:"source"`
	Target      string          `json:"target,omitempty"`
	Time        string          `json:"time,omitempty"`
	Payload     json.RawMessage `json:"payload"`
	Key         string          `json:"idempotency_key,omitempty"`
	Epoch       string          `json:"epoch,omitempty"`
	Traceparent string          `json:"traceparent,omitempty"`
}

type answer struct {
	Component   string         `json:"component_id"`
	Command     string         `json:"command"`
	Key         string         `json:"key"`
	State       string         `json:"state"`
	Completed   bool           `json:"completed"`
	Incarnation string         `json:"incarnation"`
	Sequence    int            `json:"sequence"`
	Code        string         `json:"code"`
	Message     string         `json:"message"`
	Repeated    bool           `json:"repeated"`
	Result      map[string]any `json:"result"`
}

type problem struct {
	status       int
	code, detail string
}

// done is what is remembered of one key.
type done struct {
	command string
	params  map[string]any
	answer  answer
}

type component struct {
	id, incarnation, address, token string
	demanded                        []string // any of these comes with a command
	nodes                           []string
	preferred                       atomic.Int64 // of nodes: the one that answered last
	client                          *http.Client

	mutex    sync.Mutex // over all below; commands are done one at a time
	state    string
	sequence int
	epoch    [2]uint64
	known    map[string]done
	order    []string
	moves    int
	changed  chan struct{}
}

// table is the lifecycle: (state, command) -> the states that are entered, the last of which stays.
var table = map[[2]string][]string{
	{"READY", "CMD_INITIALIZE"}:            {"INITIALIZING", "INIT_COMPLETE"},
	{"INIT_COMPLETE", "CMD_START"}:         {"STARTED"},
	{"INIT_COMPLETE", "CMD_GRACEFUL_STOP"}: {"STOPPING", "STOPPED"},
	{"STARTED", "CMD_GRACEFUL_STOP"}:       {"STOPPING", "STOPPED"},
	{"STOPPED", "CMD_RESET"}:               {"READY"},
	{"FAULT", "CMD_RESET"}:                 {"READY"},
}

func main() {
	id := flag.String("id", "belt-1", "id of the component")
	nodes := flag.String("orchestrator", "http://127.0.0.1:8101", "base URLs of the nodes, with commas in between")
	port := flag.Int("port", 0, "port to listen on; 0: any free one")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	token, command := os.Getenv("TRIARCH_TOKEN"), os.Getenv("TRIARCH_COMMAND_TOKEN")
	c := &component{
		demanded: demands(*id, token, command),
		id:       *id, incarnation: randomID(), address: "http://" + listener.Addr().String(), token: token,
		nodes: strings.Split(*nodes, ","), client: &http.Client{Timeout: 2 * time.Second},
		state: "READY", known: map[string]done{}, changed: make(chan struct{}, 1),
	}
	http.HandleFunc("/event", c.take)
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, "application/json", c.report()) })
	go func() { log.Fatal(http.Serve(listener, nil)) }()
	leave := make(chan os.Signal, 1)
	signal.Notify(leave, syscall.SIGTERM, syscall.SIGINT)
	c.live(leave)
}

// live registers, and then beats and reports until it is told to leave.
func (c *component) live(leave <-chan os.Signal) {
	registered := false
	beat := time.NewTicker(time.Duration(heartbeatS * float64(time.Second)))
	for {
		if !registered {
			registered = c.register()
		} else if status := c.tell("component.heartbeat", randomID(), c.report()); status == 404 || status == 409 {
			registered = false // forgotten there, or another process has the id: say who is here
			continue
		}
		select {
		case <-beat.C:
		case <-c.changed: // a heartbeat carries the state too, so it is reported at once
		case <-leave:
			c.mutex.Lock()
			if c.state == "STARTED" || c.state == "INIT_COMPLETE" {
				c.enter("STOPPING")
				c.enter("STOPPED")
			}
			c.mutex.Unlock()
			c.tell("component.heartbeat", randomID(), c.report())
			return
		}
	}
}

func (c *component) register() bool {
	c.mutex.Lock()
	registration := map[string]any{
		"id": c.id, "name": "A belt in Go", "address": c.address, "groups": []string{"line-a"}, "state": c.state,
		"incarnation": c.incarnation, "sequence": c.sequence, "labels": map[string]string{"language": "go"},
	}
	c.mutex.Unlock()
	status := c.post("/v1/components", registration)
	return status == 200 || status == 201
}

func (c *component) report() map[string]any {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return map[string]any{
		"state": c.state, "incarnation": c.incarnation, "sequence": c.sequence, "health": "OK",
		"metrics": map[string]float64{"moves": float64(c.moves)},
	}
}

// tell sends an event to whichever node takes it; 0: none could.
func (c *component) tell(kind, id string, payload any) int {
	document, _ := json.Marshal(payload)
	told := event{ID: id, Type: kind, Source: c.id, Time: time.Now().UTC().Format(time.RFC3339Nano), Payload: document}
	return c.post("/event", told)
}

// happened tells of something that a repeat must not tell twice: under one id, until a node has taken or refused it.
func (c *component) happened(kind string, payload any) {
	id := randomID()
	status := 0
	for attempt := 0; attempt < 30; attempt++ {
		if status = c.tell(kind, id, payload); status != 0 && status != 404 {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	fmt.Println("told", kind, status)
}

// post asks each node in turn; the first that can answer is asked first from then on. 0: none could.
func (c *component) post(path string, document any) int {
	body, _ := json.Marshal(document)
	first := c.preferred.Load()
	for offset := range c.nodes {
		at := (first + int64(offset)) % int64(len(c.nodes))
		request, err := http.NewRequest("POST", strings.TrimSpace(c.nodes[at])+path, bytes.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if c.token != "" {
			request.Header.Set("Authorization", "Bearer "+c.token)
		}
		response, err := c.client.Do(request)
		if err == nil {
			said, _ := io.ReadAll(io.LimitReader(response.Body, bodyMax))
			response.Body.Close()
			if response.StatusCode < 500 {
				c.preferred.Store(at)
				if response.StatusCode >= 400 {
					log.Printf("%s: %d %s", path, response.StatusCode, said)
				}
				return response.StatusCode
			}
		}
	}
	return 0
}

// demands says what commands come with: a token of this component's own, or what all nodes share and what they derive
// from that once a token was made for this component. A token that was made for it (tri_…) opens nodes, and is not shown.
func demands(id, token, command string) []string {
	switch {
	case command != "":
		return []string{command}
	case token == "" || strings.HasPrefix(token, "tri_"):
		return nil
	}
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("triarch/command/" + id))
	return []string{token, base64.RawURLEncoding.EncodeToString(mac.Sum(nil))}
}

func (c *component) knows(authorization string) bool {
	for _, token := range c.demanded {
		if subtle.ConstantTimeCompare([]byte(authorization), []byte("Bearer "+token)) == 1 {
			return true
		}
	}
	return len(c.demanded) == 0
}

// take is POST /event.
func (c *component) take(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		refuse(w, problem{405, "method_not_allowed", "POST an event here"})
		return
	}
	if !c.knows(r.Header.Get("Authorization")) {
		refuse(w, problem{401, "unauthorised", "commands come with the token"})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	var tooLarge *http.MaxBytesError
	var e event
	switch {
	case errors.As(err, &tooLarge):
		refuse(w, problem{413, "event_too_large", fmt.Sprintf("an event has at most %d bytes", bodyMax)})
	case err != nil || json.Unmarshal(body, &e) != nil:
		refuse(w, problem{422, "event_invalid", "body: no event"})
	case e.Type != "component.command" || (e.Target != "" && e.Target != c.id):
		refuse(w, problem{422, "unknown_event", c.id + " takes component.command, for itself"})
	default:
		said, wrong := c.command(e)
		if wrong != nil {
			refuse(w, *wrong)
			return
		}
		reply(w, 200, "application/json", said)
	}
}

// command does what is asked, once per key.
func (c *component) command(e event) (answer, *problem) {
	var asked struct {
		Command string         `json:"command"`
		Params  map[string]any `json:"params"`
	}
	if json.Unmarshal(e.Payload, &asked) != nil || asked.Command == "" || e.Key == "" {
		return answer{}, &problem{422, "event_invalid", "payload.command and idempotency_key are needed"}
	}
	if asked.Command == "CMD_STOP" {
		asked.Command = "CMD_GRACEFUL_STOP"
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var epoch [2]uint64 // none is older than any
	if e.Epoch != "" {
		if _, err := fmt.Sscanf(e.Epoch, "%d.%d", &epoch[0], &epoch[1]); err != nil {
			return answer{}, &problem{422, "event_invalid", "epoch: TERM.INDEX"}
		}
	}
	if epoch[0] < c.epoch[0] || (epoch[0] == c.epoch[0] && epoch[1] < c.epoch[1]) {
		return answer{}, &problem{409, "stale_epoch", fmt.Sprintf("a leader of epoch %d.%d has spoken", c.epoch[0], c.epoch[1])}
	}
	c.epoch = epoch
	if before, known := c.known[e.Key]; known {
		if before.command != asked.Command || !reflect.DeepEqual(before.params, asked.Params) {
			return answer{}, &problem{422, "key_reused", "the key " + e.Key + " was " + before.command + " before"}
		}
		before.answer.Repeated = true
		return before.answer, nil
	}
	result := map[string]any{}
	if asked.Command == "MOVE" {
		if c.state != "STARTED" {
			return answer{}, &problem{409, "command_refused", "MOVE is not possible in " + c.state + ": MOVE needs STARTED"}
		}
		c.moves++
		result["moves"] = c.moves
		fmt.Println("effect MOVE", e.Key, asked.Params["steps"])
		go c.happened("belt.moved", map[string]any{"moves": c.moves, "steps": asked.Params["steps"]})
	} else {
		path, possible := table[[2]string{c.state, asked.Command}]
		if !possible {
			return answer{}, &problem{409, "command_refused", asked.Command + " is not possible in " + c.state + possibleIn(asked.Command)}
		}
		fmt.Println("effect", asked.Command, e.Key)
		for _, state := range path {
			c.enter(state)
		}
	}
	said := answer{
		Component: c.id, Command: asked.Command, Key: e.Key, State: c.state, Completed: true,
		Incarnation: c.incarnation, Sequence: c.sequence, Result: result,
	}
	c.known[e.Key] = done{asked.Command, asked.Params, said}
	c.order = append(c.order, e.Key)
	if len(c.order) > keysMax {
		delete(c.known, c.order[0])
		c.order = c.order[1:]
	}
	return said, nil
}

// enter changes the state; the mutex is held.
func (c *component) enter(state string) {
	c.state = state
	c.sequence++
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func possibleIn(command string) string {
	states := []string{}
	for row := range table {
		if row[1] == command {
			states = append(states, row[0])
		}
	}
	if len(states) == 0 {
		return "; it is not known here"
	}
	return ": it needs " + strings.Join(states, " or ")
}

func refuse(w http.ResponseWriter, p problem) {
	reply(w, p.status, "application/problem+json", map[string]any{
		"type": "urn:triarch:problem:" + p.code, "title": p.code, "status": p.status, "detail": p.detail,
		"instance": "/event", "code": p.code,
	})
}

func reply(w http.ResponseWriter, status int, media string, document any) {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}

func randomID() string {
	bits := make([]byte, 16)
	if _, err := rand.Read(bits); err != nil {
		log.Fatal(err)
	}
	return hex.EncodeToString(bits)
}
