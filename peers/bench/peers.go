//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// peerFigures are those of one generator.
type peerFigures struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Absent  string `json:"absent,omitempty"`
	Idle    int    `json:"idle_clients"`
	// PerClient in bytes, Connects and Echoes a second, lateness in seconds.
	PerClient series `json:"idle_client_bytes"`
	Connects  series `json:"connects_per_s"`
	Echoes    series `json:"echoes_per_s"`
	EchoCores series `json:"echo_generator_cores"`
	// The same by each second of CPU that the generator used.
	ConnectsPerCore series `json:"connects_per_generator_core_s"`
	EchoesPerCore   series `json:"echoes_per_generator_core_s"`
	Late            series `json:"pacing_late_p99_s"`
	Achieved        series `json:"pacing_achieved_per_s"`
	PaceCores       series `json:"pacing_generator_cores"`

	generator *generator
}

// peers compares all generators, trial by trial in turn.
func peers(ctx context.Context, b *bench) error {
	if err := twoCores(); err != nil {
		return err
	}
	where := thisMachine()
	var all []*peerFigures
	for _, g := range b.generators() {
		all = append(all, &peerFigures{Name: g.name, Version: g.version, Absent: g.absent, Idle: b.idle, generator: g})
	}
	for trial := range b.trials {
		for _, f := range all {
			if f.Absent != "" {
				continue
			}
			b.tell("trial %d of %d: %s", trial+1, b.trials, f.Name)
			f.measure(ctx, b)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	t := peersTable(all)
	t.notes = append(t.notes, where.String(), fmt.Sprintf(
		"Median of %d trials in turn (smallest to largest). Generator on core %d, the same gorilla/websocket echo server on core %d, fresh processes each time, messages of %d bytes.",
		b.trials, generatorCore, serverCore, messageSize),
		"All but memory and CPU is what the server saw; \"by its CPU s\" is by each second of CPU that the generator used, which a busy machine disturbs least. Ratios are wsrig epoll against each: above 1.0 it is that much better.")
	if err := b.publish("peers", t, map[string]any{"machine": where, "trials": b.trials, "generators": all}); err != nil {
		return err
	}
	return ownFailures(all)
}

// measure is one trial. A failure is noted where its figure would be.
func (f *peerFigures) measure(ctx context.Context, b *bench) {
	idle, err := b.idlePerClient(ctx, b.echoServer(), f.generator, f.Idle)
	f.PerClient.add(idle.generator, err)
	f.Connects.add(idle.rate, err)
	f.ConnectsPerCore.add(idle.perCore, err)
	if ctx.Err() != nil {
		return
	}
	e, err := b.echo(ctx, f.generator)
	f.Echoes.add(e.rate, err)
	f.EchoCores.add(e.generator, err)
	f.EchoesPerCore.add(e.rate/e.generator, err)
	if ctx.Err() != nil {
		return
	}
	p, err := b.pace(ctx, f.generator)
	f.Late.add(p.p99, err)
	f.Achieved.add(p.achieved, err)
	f.PaceCores.add(p.generator, err)
}

// peersTable sets the first generator against each.
func peersTable(all []*peerFigures) *table {
	t := &table{head: []string{
		"generator", "KiB per idle client", "ratio", "connects/s", "ratio", "by its CPU s", "ratio",
		"closed loop echo/s", "ratio", "by its CPU s", "ratio", "late p99 at 1,000/s, µs", "ratio", "achieved/s",
	}}
	first := all[0]
	ratio := func(better, other *series, lowIsGood bool) string {
		switch {
		case !better.ok() || !other.ok():
			return ""
		case lowIsGood:
			return times(other.median(), better.median())
		}
		return times(better.median(), other.median())
	}
	for _, f := range all {
		if f.Absent != "" {
			t.row(f.Name, f.Absent)
			continue
		}
		t.row(f.Name,
			f.PerClient.text(kib), ratio(&first.PerClient, &f.PerClient, true),
			f.Connects.text(perSecond), ratio(&first.Connects, &f.Connects, false),
			f.ConnectsPerCore.text(perSecond), ratio(&first.ConnectsPerCore, &f.ConnectsPerCore, false),
			f.Echoes.text(perSecond), ratio(&first.Echoes, &f.Echoes, false),
			f.EchoesPerCore.text(perSecond), ratio(&first.EchoesPerCore, &f.EchoesPerCore, false),
			f.Late.text(micros), ratio(&first.Late, &f.Late, true), f.Achieved.text(perSecond))
	}
	t.notes = append(t.notes, "")
	for _, f := range all {
		note := fmt.Sprintf("%s: %s", f.Name, f.Version)
		if f.Absent != "" {
			continue
		}
		if f.PerClient.ok() {
			note += fmt.Sprintf("; memory between %d and %d clients", fewClients, f.Idle)
		}
		if f.EchoCores.ok() {
			note += fmt.Sprintf("; cores used: echo %s, pacing %s", f.EchoCores.text(share), f.PaceCores.text(share))
		}
		for _, s := range []*series{&f.PerClient, &f.Echoes, &f.Late} {
			if len(s.Failed) > 0 {
				note += "; failed: " + s.Failed[0]
			}
		}
		t.notes = append(t.notes, note)
	}
	return t
}

// times is a / b, for figures above 0.
func times(a, b float64) string {
	if !(a > 0) || !(b > 0) {
		return "cannot be told"
	}
	return fmt.Sprintf("%.1f", a/b)
}

// ownFailures are the figures that wsrig itself has not.
func ownFailures(all []*peerFigures) error {
	var missing []string
	for _, f := range all {
		if !f.generator.own {
			continue
		}
		for _, s := range []*series{&f.PerClient, &f.Echoes, &f.Late} {
			if !s.ok() {
				missing = append(missing, f.Name+": "+strings.Join(s.Failed, "; "))
			}
		}
	}
	if len(missing) > 0 {
		return wsrigError{errors.New(strings.Join(missing, "; "))}
	}
	return nil
}
