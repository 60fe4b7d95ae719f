package loadgen

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Worker serves a Fleet over HTTP: the control API. Commands run one at a time; a
// caller that goes away cancels its command.
type Worker struct {
	token  string
	engine func() Engine

	mu    sync.Mutex // held by the command that runs
	fleet *Fleet
}

// NewWorker returns a worker that answers only to bearers of token.
func NewWorker(token string, engine func() Engine) (*Worker, error) {
	if token == "" {
		return nil, errors.New("a worker needs a token: set WSRIG_TOKEN, so that nobody else on this host can drive it")
	}
	return &Worker{token: token, engine: engine}, nil
}

// specLimit bounds a command's body. Publish logs are the largest: 8 bytes and a
// comma for each message.
const specLimit = 256 << 20

// stopWithin is how long a command may take to notice that the worker is to stop.
const stopWithin = 3 * time.Second

// Serve answers commands until ctx ends; then it cuts off what is left, the command
// that runs and the clients.
func (w *Worker) Serve(ctx context.Context, l net.Listener) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	srv := &http.Server{
		Handler: w.commands(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return running },
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	var err error
	select {
	case err = <-served:
		cancel()
		err = fmt.Errorf("control API: %w", err)
	case <-ctx.Done():
		quick, stop := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer stop()
		err = srv.Shutdown(quick)
		<-served
	}
	return errors.Join(err, srv.Close(), w.abandon())
}

// commands is the control API.
func (w *Worker) commands() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "ok\n") })
	handle(mux, w, CommandBegin, func(_ context.Context, s BeginSpec, _ func(Progress)) (struct{}, error) {
		return struct{}{}, w.begin(s)
	})
	handle(mux, w, CommandConnect, func(ctx context.Context, s ConnectSpec, p func(Progress)) (ConnectResult, error) {
		return w.fleet.Connect(ctx, s, p)
	})
	handle(mux, w, CommandIdle, func(ctx context.Context, s IdleSpec, p func(Progress)) (IdleResult, error) {
		return w.fleet.Idle(ctx, s, p)
	})
	handle(mux, w, CommandExpect, func(_ context.Context, s ExpectSpec, _ func(Progress)) (struct{}, error) {
		return struct{}{}, w.fleet.Expect(s)
	})
	handle(mux, w, CommandPublish, func(ctx context.Context, s PublishSpec, p func(Progress)) (PublishResult, error) {
		return w.fleet.Publish(ctx, s, p)
	})
	handle(mux, w, CommandAwait, func(ctx context.Context, s AwaitSpec, p func(Progress)) (AwaitResult, error) {
		return w.fleet.Await(ctx, s, p)
	})
	handle(mux, w, CommandDisconnect, func(ctx context.Context, s DisconnectSpec, p func(Progress)) (DisconnectResult, error) {
		return w.fleet.Disconnect(ctx, s, p)
	})
	handle(mux, w, CommandCount, func(context.Context, struct{}, func(Progress)) (CountResult, error) {
		return CountResult{Open: int(w.fleet.openCount.Load())}, nil
	})
	handle(mux, w, CommandFinish, func(ctx context.Context, _ struct{}, _ func(Progress)) (Snapshot, error) {
		defer func() { w.fleet = nil }()
		return w.fleet.Finish(ctx)
	})
	return mux
}

func (w *Worker) begin(s BeginSpec) error {
	var err error
	if w.fleet != nil {
		err = w.fleet.Abandon()
		w.fleet = nil
	}
	if err != nil {
		return err
	}
	w.fleet, err = NewFleet(w.engine(), s)
	return err
}

// abandon ends a trial that nobody finished, once its last command has ended.
func (w *Worker) abandon() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fleet == nil {
		return nil
	}
	err := w.fleet.Abandon()
	w.fleet = nil
	return err
}

// handle serves one command: S is its spec, R its result.
func handle[S, R any](mux *http.ServeMux, w *Worker, command string, run func(context.Context, S, func(Progress)) (R, error)) {
	mux.HandleFunc("POST /v1/"+command, func(rw http.ResponseWriter, req *http.Request) {
		if subtle.ConstantTimeCompare([]byte(req.Header.Get("Authorization")), []byte("Bearer "+w.token)) != 1 {
			http.Error(rw, "wrong or missing bearer token", http.StatusUnauthorized)
			return
		}
		var spec S
		if status, err := readSpec(http.MaxBytesReader(rw, req.Body, specLimit), &spec); err != nil {
			http.Error(rw, command+": "+err.Error(), status)
			return
		}
		if !w.mu.TryLock() {
			http.Error(rw, command+": another command is running", http.StatusConflict)
			return
		}
		if w.fleet == nil && command != CommandBegin {
			w.mu.Unlock()
			http.Error(rw, command+": no trial; begin one first", http.StatusConflict)
			return
		}
		rw.Header().Set("Content-Type", "application/x-ndjson")
		out := &eventStream{rw: rw, enc: json.NewEncoder(rw)}
		quiet := out.beat()
		result, err := run(req.Context(), spec, func(p Progress) { out.send(Event{Progress: &p}) })
		quiet()
		w.mu.Unlock() // before the answer: the caller's next command may follow at once
		if err != nil {
			out.send(Event{Error: err.Error()})
			return
		}
		out.send(Event{Result: result})
	})
}

// readSpec decodes a command's body, and returns the HTTP status of a bad one. It
// reads up to the end: only then does the server notice that a caller goes away.
func readSpec(body io.Reader, spec any) (status int, err error) {
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err = dec.Decode(spec); err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return http.StatusOK, nil
		}
		if err == nil {
			err = errors.New("there is more after the JSON object")
		}
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, err
	}
	return http.StatusBadRequest, err
}

// eventStream writes events, each at once. A reader that has gone away cancels the
// command's context, so write errors need no handling of their own.
type eventStream struct {
	mu  sync.Mutex
	rw  http.ResponseWriter
	enc *json.Encoder
}

const (
	// beatEvery is how often a command without news shows that it is alive.
	beatEvery = time.Second
	// eventTimeout is how long a reader may leave an event lying.
	eventTimeout = 30 * time.Second
)

func (s *eventStream) send(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := http.NewResponseController(s.rw)
	_ = out.SetWriteDeadline(time.Now().Add(eventTimeout))
	_ = s.enc.Encode(e)
	_ = out.Flush()
}

// beat sends an empty event regularly until the returned stop.
func (s *eventStream) beat() (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				s.send(Event{})
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}
