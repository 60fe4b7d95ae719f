package haproxy

import (
	"context"
	"fmt"
	"slices"

	"wsrig/testbed"
)

// Workers asks each worker process for the sessions of the clients' frontend. There
// is one that takes new clients, with all its threads, and one for each earlier
// configuration that still has clients.
func (Driver) Workers(ctx context.Context, inst testbed.Instance) ([]testbed.WorkerProcess, error) {
	running, err := readRunning(inst)
	if err != nil {
		return nil, err
	}
	procs, err := showProc(ctx, inst)
	if err != nil {
		return nil, err
	}
	var workers []testbed.WorkerProcess
	for _, pid := range slices.Concat(procs.workers, procs.old) {
		one := testbed.ProxyStats{ByNode: map[string]int{}}
		table, err := ask(ctx, inst, portMaster, fmt.Sprintf("@!%d show stat", pid))
		if err == nil {
			err = running.count(table, &one)
		}
		if err != nil {
			if again, e := showProc(ctx, inst); e == nil && !contains(again, pid) {
				continue // an old worker ended between the two questions
			}
			return nil, fmt.Errorf("worker %d: %w", pid, err)
		}
		workers = append(workers, testbed.WorkerProcess{PID: pid, Old: slices.Contains(procs.old, pid), Open: one.Open})
	}
	return workers, nil
}
