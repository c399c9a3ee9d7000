package gpu

import (
	"sweep/trainer/device"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/plan"
)

// tables is where the tables of a program for so many slots lie on the device, in one block of memory.
type tables struct {
	program *program
	slots   int // rows
	bytes   int64

	at                             device.Address
	values, offsets, splits, rates int64 // offsets in the block
	tasks                          int64
	lists, tileList, slotList      int64
	capacity                       int // of the list of tiles
}

// newTables lays out the tables of a program.
func newTables(p *program, slots, capacity int) *tables {
	t := &tables{program: p, slots: slots, capacity: capacity}
	var o offsets
	t.values, t.rates = o.take(int64(8*slots*p.values)), o.take(int64(4*slots*p.values))
	t.offsets, t.splits = o.take(int64(4*slots*p.weights)), o.take(int64(4*slots*p.weights))
	t.tasks = o.take(int64(len(p.steps)) * cuda.SizeOf[cuda.Task]())
	t.lists = o.take(cuda.SizeOf[cuda.Lists]())
	t.tileList, t.slotList = o.take(int64(capacity)*cuda.SizeOf[cuda.Work]()), o.take(int64(slots)*cuda.SizeOf[cuda.Work]())
	t.bytes = o.at
	return t
}

// task is where the table of step i lies.
func (t *tables) task(i int) device.Address {
	return t.at + device.Address(t.tasks+int64(i)*cuda.SizeOf[cuda.Task]())
}

func (t *tables) on(offset int64) cuda.Address { return cuda.Address(t.at) + cuda.Address(offset) }

// patch is bytes for a place on the device.
type patch struct {
	at    device.Address
	bytes []byte
}

// fixed are the tables that no slot changes, for slots whose own tables lie at an address.
func (t *tables) fixed(slots device.Address) []patch {
	tasks := make([]cuda.Task, len(t.program.steps))
	for i, s := range t.program.steps {
		k := s.task
		k.Lists, k.Slots, k.Values = t.on(t.lists), cuda.Address(slots), t.on(t.values)
		k.Offsets, k.Splits, k.Rates = t.on(t.offsets), t.on(t.splits), t.on(t.rates)
		k.NValues, k.NWeights = int32(t.program.values), int32(t.program.weights)
		tasks[i] = k
	}
	return []patch{
		{t.task(0), cuda.Bytes(tasks)},
		{t.at + device.Address(t.lists), cuda.Bytes([]cuda.Lists{{Tile: t.on(t.tileList), Slot: t.on(t.slotList)}})},
	}
}

// row are the lines of one slot: where its values lie, by offsets from its room's address, its weights and partial sums, and
// the thresholds of its dropouts.
func (t *tables) row(slot int, p *plan.Program, values []int64, splits []int32, room device.Address) []patch {
	places := make([]cuda.Address, len(values))
	rates := make([]int32, len(values))
	for i, offset := range values {
		places[i] = cuda.Address(room) + cuda.Address(offset)
		rates[i] = int32(p.Values[i].Threshold)
	}
	weights := make([]int32, len(p.Layout.Offsets))
	for i, offset := range p.Layout.Offsets {
		weights[i] = int32(offset)
	}
	line := func(offset int64, size, n int) device.Address {
		return t.at + device.Address(offset+int64(slot*size*n))
	}
	return []patch{
		{line(t.values, 8, len(places)), cuda.Bytes(places)},
		{line(t.rates, 4, len(rates)), cuda.Bytes(rates)},
		{line(t.offsets, 4, len(weights)), cuda.Bytes(weights)},
		{line(t.splits, 4, len(splits)), cuda.Bytes(splits)},
	}
}
