package loadgen

import (
	"slices"
	"sync/atomic"
)

// roomTable tells the rooms of all clients of a trial, those of other workers
// included: a receiver must know whose messages it should not get. It costs 4 bytes a
// client where there are several rooms.
type roomTable struct{ steps atomic.Pointer[[]stepRooms] }

// stepRooms is the rooms of the clients of one connect step, from the number first.
type stepRooms struct {
	first, count uint32
	rooms        []int32 // nil: all in room 0
}

// add notes the rooms of the clients from a number on.
func (t *roomTable) add(first uint32, rooms []int) {
	step := stepRooms{first: first, count: uint32(len(rooms))}
	if slices.ContainsFunc(rooms, func(room int) bool { return room != 0 }) {
		step.rooms = make([]int32, len(rooms))
	}
	for i := range step.rooms {
		step.rooms[i] = int32(rooms[i])
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
		i := publisher - step.first
		switch {
		case publisher < step.first || i >= step.count:
		case step.rooms == nil:
			return room != 0
		default:
			return int(step.rooms[i]) != room
		}
	}
	return false
}
