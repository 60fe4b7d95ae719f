package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
	"wsrig/loadgen"
)

// pingPong measures TCP round trips of one message over loopback at a rate, each
// from the write to the last byte of the answer. One that is late delays the next:
// there is no schedule to hold, only a rest in between.
func pingPong(ctx context.Context, rate float64, length time.Duration) (_ *loadgen.Distribution, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	near, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	far, err := l.Accept() // does not wait: the kernel has completed the connection
	if err != nil {
		return nil, errors.Join(err, near.Close())
	}
	deadline := time.Now().Add(length + noiseGrace)
	if err := errors.Join(near.SetDeadline(deadline), far.SetDeadline(deadline)); err != nil {
		return nil, errors.Join(err, near.Close(), far.Close())
	}
	var answering sync.WaitGroup
	answering.Go(func() { answer(far) })
	defer answering.Wait()
	defer near.Close()
	trips, err := roundTrips(ctx, near, rate, int(math.Ceil(rate*length.Seconds())))
	if err == nil {
		return trips, nil
	}
	return nil, errors.Join(err, context.Cause(ctx))
}

// answer sends every message back until the other side is gone.
func answer(c net.Conn) {
	defer c.Close()
	buf := make([]byte, noiseSize)
	for {
		if _, err := io.ReadFull(c, buf); err != nil {
			return
		}
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}

// roundTrips makes n of them.
func roundTrips(ctx context.Context, c net.Conn, rate float64, n int) (*loadgen.Distribution, error) {
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	trips := loadgen.NewDistribution()
	tick := time.NewTicker(time.Duration(1e9 / rate))
	defer tick.Stop()
	buf := make([]byte, noiseSize)
	for range n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		sent := wire.Now()
		if _, err := c.Write(buf); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			return nil, err
		}
		trips.Put(wire.Now() - sent)
	}
	return trips, nil
}

// echoServer is the least WebSocket server that sends every message back.
type echoServer struct {
	addr    string
	http    *http.Server
	serving sync.WaitGroup // the accept loop and the clients

	mu    sync.Mutex
	conns []*websocket.Conn
}

func startEcho() (*echoServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &echoServer{addr: l.Addr().String()}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: noiseGrace}
	s.serving.Go(func() { _ = s.http.Serve(l) }) // ends with ErrServerClosed, by close
	return s, nil
}

// ServeHTTP upgrades a client and echoes until it goes.
func (s *echoServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serving.Add(1)
	defer s.serving.Done()
	up := websocket.Upgrader{HandshakeTimeout: noiseGrace}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	defer c.Close()
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	for {
		kind, msg, err := c.ReadMessage()
		if err != nil || c.WriteMessage(kind, msg) != nil {
			return
		}
	}
}

// close ends the server and its clients. Shutdown waits for handlers that have not
// upgraded yet, so that none comes after the wait.
func (s *echoServer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), noiseGrace)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("end the echo server: %w", err), s.http.Close())
	}
	s.mu.Lock()
	for _, c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
	return err
}
