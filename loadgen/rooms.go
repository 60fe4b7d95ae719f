package loadgen

import (
	"slices"
	"sync/atomic"
)

// roomTable tells the rooms of all clients of a trial, those of other workers
// included: a receiver must know whose messages it should not get. It is empty where
// there is one room only, and costs 4 bytes a client otherwise.
type roomTable struct{ steps atomic.Pointer[[]stepRooms] }

// stepRooms is the rooms of the clients of one connect step, from the number first.
type stepRooms struct {
	first uint32
	rooms []int32
}

// add notes the rooms of the clients from a number on.
func (t *roomTable) add(first uint32, rooms []int) {
	step := stepRooms{first, make([]int32, len(rooms))}
	for i, r := range rooms {
		step.rooms[i] = int32(r)
	}
	var grown []stepRooms
	if all := t.steps.Load(); all != nil {
		grown = slices.Clone(*all)
	}
	grown = append(grown, step)
	t.steps.Store(&grown)
}

// strays tells whether what a publisher sends does not belong into a room. It is
// false for a publisher that is in no table.
func (t *roomTable) strays(publisher uint32, room int) bool {
	all := t.steps.Load()
	if all == nil {
		return false
	}
	for _, step := range *all {
		if i := publisher - step.first; publisher >= step.first && uint64(i) < uint64(len(step.rooms)) {
			return int(step.rooms[i]) != room
		}
	}
	return false
}
