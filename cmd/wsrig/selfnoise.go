package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wsrig/internal/result"
	"wsrig/loadgen"
)

// noiseProbe is how a result.SelfNoise is measured.
type noiseProbe struct {
	Rate float64       // round trips a second: cores that sleep in between wake up late, as in a run
	For  time.Duration // of each of the two measurements
}

// usualProbe has 1,000 samples of each, which a 99th percentile needs.
var usualProbe = noiseProbe{Rate: 1000, For: time.Second}

// noiseSize is the bytes of a message, the load generator's default.
const noiseSize = 128

// noiseGrace is how long over its time one measurement may take.
const noiseGrace = 10 * time.Second

// measure takes about twice p.For. It fails when anything is lost, since then the
// figures say nothing.
func (p noiseProbe) measure(ctx context.Context) (result.SelfNoise, error) {
	var noise result.SelfNoise
	trips, err := pingPong(ctx, p.Rate, p.For)
	if err != nil {
		return noise, fmt.Errorf("TCP ping-pong over loopback: %w", err)
	}
	enc, err := trips.Encode("ns")
	if err != nil {
		return noise, fmt.Errorf("TCP ping-pong over loopback: %w", err)
	}
	if noise.PingPong, err = figuresOf(enc, p.Rate); err != nil {
		return noise, err
	}
	echo, err := p.echo(ctx)
	if err != nil {
		return noise, err
	}
	if noise.Echo, err = figuresOf(echo.Histograms["delivery.latency"], p.Rate); err != nil {
		return noise, err
	}
	if noise.Lag, err = figuresOf(echo.Histograms["schedule.lag"], p.Rate); err != nil {
		return noise, err
	}
	noise.AddedP50 = noise.Echo.P50 - noise.PingPong.P50
	if noise.Echo.P99 != nil && noise.PingPong.P99 != nil {
		added := *noise.Echo.P99 - *noise.PingPong.P99
		noise.AddedP99 = &added
	}
	noise.Doubts = append([]string{}, echo.Saturation...)
	return noise, nil
}

// echo has the load generator publish to a minimal WebSocket server that sends every
// message back.
func (p noiseProbe) echo(ctx context.Context) (_ *loadgen.Summary, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.For+noiseGrace, fmt.Errorf("not done %s after its end", noiseGrace))
	defer cancel()
	defer func() {
		if err != nil {
			err = fmt.Errorf("WebSocket echo at %g/s: %w", p.Rate, err)
		}
	}()
	server, err := startEcho()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.close()) }()
	load := loadgen.Load{
		URL: "ws://" + server.addr, Relay: loadgen.RelaySelf, Clients: 1, ConnectRate: 1000, Rooms: 1,
		Rate: p.Rate, For: p.For, Arrival: loadgen.ArrivalConstant, Size: noiseSize,
		Grace: 2 * time.Second, Timeout: 5 * time.Second, Seed: 1,
	}
	if err := load.Validate(); err != nil {
		return nil, err
	}
	s, err := load.Run(ctx, loadgen.NewAuto(), func(string, loadgen.Progress) {})
	if err != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	if status, reasons := judgeLoad(s); status == result.Fail || s.Metrics["handshake.ok"].Value == 0 {
		return nil, fmt.Errorf("the figures say nothing: %v", reasons)
	}
	return s, nil
}

// figuresOf reads figures in seconds from a histogram in nanoseconds.
func figuresOf(h result.Histogram, rate float64) (result.NoiseFigures, error) {
	if h.Count == 0 {
		return result.NoiseFigures{}, errors.New("self-noise: nothing was measured")
	}
	hdr, err := h.Decode()
	if err != nil {
		return result.NoiseFigures{}, fmt.Errorf("self-noise: %w", err)
	}
	at := func(quantile float64) float64 { return float64(hdr.ValueAtQuantile(quantile)) / 1e9 }
	f := result.NoiseFigures{P50: at(50), Max: float64(h.Max) / 1e9, N: h.Count, Rate: rate}
	if h.Count >= result.MinSamples("p99") {
		p99 := at(99)
		f.P99 = &p99
	}
	return f, nil
}
