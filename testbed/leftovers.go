package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// Leftover is something of a testbed: what a dead rig left, or what a live one uses.
type Leftover struct {
	Kind   string // unit, container, network, folder or image
	Name   string
	Owner  Owner // the rig; zero for an image
	remove func(context.Context) error
}

// String is "container wsrig-x-n1 of process 4711".
func (l Leftover) String() string {
	if l.Owner == (Owner{}) {
		return l.Kind + " " + l.Name
	}
	return fmt.Sprintf("%s %s of process %d", l.Kind, l.Name, l.Owner.PID)
}

// Live tells whether the rig that it belongs to still runs.
func (l Leftover) Live() bool { return l.Owner != (Owner{}) && l.Owner.Alive() }

// Remove ends or removes it. That it is gone already is no error.
func (l Leftover) Remove(ctx context.Context) error {
	if err := l.remove(ctx); err != nil {
		return fmt.Errorf("%s: %w", l, err)
	}
	return nil
}

// Leftovers lists what testbeds have on this machine, in the order in which it can be
// removed: units below the folder for temporary files, and containers, networks and
// own images of d, which may be nil.
func Leftovers(ctx context.Context, d *Docker) ([]Leftover, error) {
	units, folders, err := localLeftovers()
	if err != nil || d == nil {
		return slices.Concat(units, folders), err
	}
	boxes, err := d.leftovers(ctx)
	return slices.Concat(units, boxes, folders), err
}

// localLeftovers finds the working directories of runtimes and the units of each. One
// without a record of its owner is nobody's to touch.
func localLeftovers() (units, folders []Leftover, err error) {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), workPrefix+"*"))
	if err != nil {
		return nil, nil, err
	}
	for _, dir := range dirs {
		r, err := readRecord(dir)
		if err != nil {
			continue
		}
		for _, name := range sortedNames(r.Units) {
			first := r.Units[name]
			if !groupLeft(first, dir) {
				continue
			}
			units = append(units, Leftover{"unit", fmt.Sprintf("%s (process %d)", name, first.PID), r.Owner, func(context.Context) error {
				return endLeftGroup(name, first, dir)
			}})
		}
		folders = append(folders, Leftover{"folder", dir, r.Owner, func(context.Context) error {
			removeDeadQuotas()
			return os.RemoveAll(dir)
		}})
	}
	return units, folders, nil
}

// groupLeft tells whether a unit has a process left. The number of its group is its
// first process's, and is not given to another group while the group has a member;
// where the first process is gone, the rest are known by where they work.
func groupLeft(first Owner, dir string) bool {
	return !first.foreign() && (first.Alive() || len(workingBelow(first.PID, dir)) > 0)
}

// endLeftGroup kills what is left of a unit.
func endLeftGroup(name string, first Owner, dir string) error {
	if first.foreign() {
		return errors.New("it is of another namespace of processes; run wsrig down there")
	}
	if first.Alive() {
		_ = syscall.Kill(-first.PID, syscall.SIGKILL)
	}
	deadline := time.Now().Add(killTimeout)
	for {
		left := workingBelow(first.PID, dir)
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(left) == 0 && !first.Alive() {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes of %s are still there %s after SIGKILL; see ps -o pid,stat,args -g %d", name, killTimeout, first.PID)
		}
		time.Sleep(2 * time.Millisecond) // not our children: there is no event to wait for
	}
}

// StopOwner asks the rig that a leftover belongs to to end, which takes its testbeds
// down, and waits for it, at most 30 s.
func (l Leftover) StopOwner(ctx context.Context) error {
	if !l.Live() {
		return nil
	}
	if l.Owner.foreign() {
		return fmt.Errorf("process %d is of another namespace of processes; end it there", l.Owner.PID)
	}
	if err := syscall.Kill(l.Owner.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end process %d: %w", l.Owner.PID, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, fmt.Errorf("process %d has not ended 30 s after SIGTERM", l.Owner.PID))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for l.Live() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// leftovers lists what testbeds have in the daemon.
func (d *Docker) leftovers(ctx context.Context) ([]Leftover, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	var all []Leftover
	add := func(kind, name string, labels map[string]string, remove func(context.Context) error) {
		owner, err := parseOwner(labels[labelOwner])
		if err != nil {
			return // not made by this program
		}
		all = append(all, Leftover{kind, name, owner, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, apiTimeout)
			defer cancel()
			if err := remove(ctx); err != nil && !errdefs.IsNotFound(err) {
				return err
			}
			return nil
		}})
	}
	boxes, err := d.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", labelRun)})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	for _, b := range boxes.Items {
		name := strings.TrimPrefix(strings.Join(b.Names, " "), "/")
		add("container", name, b.Labels, func(ctx context.Context) error {
			_, err := d.api.ContainerRemove(ctx, b.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			return err
		})
	}
	networks, err := d.api.NetworkList(ctx, client.NetworkListOptions{Filters: make(client.Filters).Add("label", labelRun)})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	for _, n := range networks.Items {
		add("network", n.Name, n.Labels, func(ctx context.Context) error {
			_, err := d.api.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
			return err
		})
	}
	images, err := d.ownImages(ctx)
	return append(all, images...), err
}

// imageAge is how old an image of this program is before it counts as left: a run that
// has just begun may be about to start containers of a younger one.
const imageAge = 24 * time.Hour

// ownImages lists old images of other builds of this program.
func (d *Docker) ownImages(ctx context.Context) ([]Leftover, error) {
	current, err := d.selfTag()
	if err != nil {
		return nil, err
	}
	images, err := d.api.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("label", labelSelf)})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var all []Leftover
	for _, i := range images.Items {
		if slices.Contains(i.RepoTags, selfRepo+":"+current) || time.Since(time.Unix(i.Created, 0)) < imageAge {
			continue
		}
		all = append(all, Leftover{"image", strings.Join(append(i.RepoTags, i.ID)[:1], ""), Owner{}, func(ctx context.Context) error {
			_, err := d.api.ImageRemove(ctx, i.ID, client.ImageRemoveOptions{PruneChildren: true, Force: len(i.RepoTags) > 1})
			if errdefs.IsNotFound(err) || errdefs.IsConflict(err) { // gone, or in use
				return nil
			}
			return err
		}})
	}
	return all, nil
}
