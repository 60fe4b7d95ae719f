//go:build linux

package main

import "context"

func scale(ctx context.Context, b *bench) error           { return ctx.Err() }
func writeRoundRobin(ctx context.Context, b *bench) error { return ctx.Err() }
func drainAll(ctx context.Context, b *bench) error        { return ctx.Err() }
