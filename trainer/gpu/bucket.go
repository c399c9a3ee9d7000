package gpu

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sweep/trainer/device"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/model"
)

// Limits of what is in a stream at a time.
const (
	maxRounds  = 16 // of one flight
	maxFlights = 2  // so that the device works while the host looks at what has come back
	maxGraphs  = 48 // of a bucket
)

// bucket is a layer stack with the slots that train it, its tables on the device and a stream. Slots are numbered as the
// engine's.
type bucket struct {
	engine *Engine
	stack  model.Config

	train, forward         *program
	trainTable, valueTable *tables
	memory                 device.Address // of all tables
	bytes                  int64
	slots, rounds          device.Address

	joining atomic.Int32 // trials that are being loaded

	mu      sync.Mutex // guards what follows, and the stream
	stream  device.Stream
	trials  []*trial // by slot; nil: it is not in this bucket
	flights []*flight
	graphs  map[graphKey]device.Graph
	ended   time.Time // of the last flight that came back

	evaluator evaluator
}

type graphKey struct {
	training bool
	class
}

// flight is some rounds on their way through the device.
type flight struct {
	bucket *bucket
	host   []byte   // pinned: what is uploaded, and then the slots as they come back
	trials []*trial // that take part
	units  [][2]int // of each: steps, validations
	ends   []bool   // of each: whether its epoch is over then
	rounds int
	mark   device.Mark
	began  time.Time
	err    error
}

// newBucket makes the tables of a stack. The engine's making is held.
func (e *Engine) newBucket(c model.Config, train, forward *program) (*bucket, error) {
	b := &bucket{
		engine: e, stack: stackOf(c), train: train, forward: forward, trials: make([]*trial, e.options.Slots),
		graphs: map[graphKey]device.Graph{},
	}
	b.trainTable = newTables(train, e.options.Slots, e.capacity)
	b.valueTable = newTables(forward, e.options.Slots, e.capacity)
	b.evaluator.table = newTables(forward, 1, maxTiles)
	var o offsets
	trainAt, valueAt := o.take(b.trainTable.bytes), o.take(b.valueTable.bytes)
	slotsAt, roundsAt := o.take(int64(e.options.Slots)*cuda.SizeOf[cuda.Slot]()), o.take(int64(e.flightBytes()))
	evaluatorAt, slotAt := o.take(b.evaluator.table.bytes), o.take(cuda.SizeOf[cuda.Slot]())
	b.bytes = o.at
	var err error
	if b.memory, err = e.squeeze(b.bytes); err != nil {
		return nil, err
	}
	at := func(offset int64) device.Address { return b.memory + device.Address(offset) }
	b.trainTable.at, b.valueTable.at, b.slots, b.rounds = at(trainAt), at(valueAt), at(slotsAt), at(roundsAt)
	b.evaluator.table.at, b.evaluator.slot = at(evaluatorAt), at(slotAt)
	if b.stream, err = e.gpu.Stream(); err == nil {
		b.evaluator.stream, err = e.gpu.Stream()
	}
	if err == nil {
		err = e.carrier.fill(b.memory, b.bytes, 0)
	}
	if err == nil {
		patches := append(b.trainTable.fixed(b.slots), b.valueTable.fixed(b.slots)...)
		patches = append(patches, b.evaluator.table.fixed(b.evaluator.slot)...)
		err = e.carrier.put(patches, func(m device.Mark) error {
			if err := b.stream.After(m); err != nil {
				return err
			}
			return b.evaluator.stream.After(m)
		})
	}
	if err != nil {
		b.close() //nolint:errcheck // the first error counts
		return nil, err
	}
	return b, nil
}

// close gives back what the bucket holds on the device. Nothing of it may be under way.
func (b *bucket) close() error {
	var err error
	keep := func(e error) {
		if err == nil {
			err = e
		}
	}
	for _, g := range b.graphs {
		keep(g.Close())
	}
	for _, s := range []device.Stream{b.stream, b.evaluator.stream} {
		if s != nil {
			keep(s.Close())
		}
	}
	b.engine.give(b.memory, b.bytes)
	return err
}

// most is the class of all trials of the bucket, lists apart.
func (b *bucket) most() class {
	var k class
	for _, t := range b.trials {
		if t == nil {
			continue
		}
		k.latent, k.batch, k.trained = max(k.latent, t.c.Latent), max(k.batch, t.c.Batch), max(k.trained, t.train.Layout.Trained)
	}
	return k
}

// step23 rounds up to a power of two, or half as much again: grids of few sizes serve all lists.
func step23(n int) int {
	for p := 1; ; p *= 2 {
		if n <= p {
			return p
		}
		if p > 1 && n <= p+p/2 {
			return p + p/2
		}
	}
}

// send puts up to n rounds into the stream, of every trial that has units left. sent is false where there was nothing to
// send, or enough is under way.
func (b *bucket) send(n int) (sent bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.flights) >= maxFlights {
		return false, nil
	}
	f := &flight{bucket: b}
	for _, t := range b.trials {
		if t != nil && t.state == running && !t.over() {
			f.trials, f.units, f.ends = append(f.trials, t), append(f.units, [2]int{}), append(f.ends, false)
			f.rounds = max(f.rounds, t.left())
		}
	}
	if f.rounds = min(f.rounds, n, maxRounds); f.rounds == 0 {
		return false, nil
	}
	if f.host, err = b.engine.pin(); err != nil {
		return false, err
	}
	// From here on trials have moved on: whatever fails has lost the device's state.
	lists := b.plan(f)
	capacity := 1
	for _, l := range lists {
		for _, kind := range l {
			capacity = max(capacity, len(kind.tiles), len(kind.slots))
		}
	}
	if err := b.stream.Upload(b.rounds, b.pack(f, lists, capacity)); err != nil {
		return false, err
	}
	for _, l := range lists {
		if err := b.round(l); err != nil {
			return false, err
		}
	}
	bytes := b.engine.options.Slots * int(cuda.SizeOf[cuda.Slot]())
	if err := b.stream.Download(b.table(f)[:bytes], b.slots); err != nil {
		return false, err
	}
	if f.mark, err = b.stream.Mark(); err != nil {
		return false, err
	}
	f.began = b.engine.options.Now()
	b.flights = append(b.flights, f)
	b.engine.follow(f)
	return true, nil
}

// work are the lists of one kind of unit in a round, and what belongs into the table of units.
type work struct {
	tiles, slots []cuda.Work
	units        []cuda.Unit // of slots
}

// lists are those of a round: steps, validations.
type lists [2]work

// plan takes the next units of all trials of a flight.
func (b *bucket) plan(f *flight) []lists {
	out := make([]lists, f.rounds)
	for r := range out {
		for i, t := range f.trials {
			if t.over() {
				continue
			}
			u := t.next()
			kind := 1
			if u.Train == cuda.Train {
				kind = 0
			}
			f.units[i][kind]++
			f.ends[i] = t.over()
			w := &out[r][kind]
			w.slots, w.units = append(w.slots, cuda.Work{Slot: int32(t.slot)}), append(w.units, u)
			for tile := range (u.N + cuda.Tile - 1) / cuda.Tile {
				w.tiles = append(w.tiles, cuda.Work{Slot: int32(t.slot), Tile: tile})
			}
		}
	}
	return out
}

// layout of what is uploaded for a flight, all of it from the address of rounds on: the table that begin reads, the number of
// the next round, and what both point to.
const (
	roundAt   = 128
	lengthsAt = 256
	unitsAt   = lengthsAt + 16*maxRounds
)

// flightBytes is the most that a flight uploads; the slots that it brings back come behind.
func (e *Engine) flightBytes() int {
	return unitsAt + maxRounds*(e.options.Slots*int(cuda.SizeOf[cuda.Unit]())+4*e.capacity*int(cuda.SizeOf[cuda.Work]()))
}

// table is where the slots come back to.
func (b *bucket) table(f *flight) []byte { return f.host[b.engine.flightBytes():] }

// pack lays out the tables of a flight.
func (b *bucket) pack(f *flight, rounds []lists, capacity int) []byte {
	slots := b.engine.options.Slots
	unit, piece := int(cuda.SizeOf[cuda.Unit]()), int(cuda.SizeOf[cuda.Work]())
	workAt := unitsAt + f.rounds*slots*unit
	bytes := workAt + f.rounds*4*capacity*piece
	host := f.host[:bytes]
	clear(host)
	on := func(offset int) cuda.Address { return cuda.Address(b.rounds) + cuda.Address(offset) }
	copy(host, cuda.Bytes([]cuda.Rounds{{
		Slots: cuda.Address(b.slots), Train: b.trainTable.on(b.trainTable.lists), Evaluate: b.valueTable.on(b.valueTable.lists),
		Units: on(unitsAt), Work: on(workAt), Lengths: on(lengthsAt), Round: on(roundAt), NSlots: int32(slots), Capacity: int32(capacity),
	}}))
	for r, l := range rounds {
		lengths := []int32{int32(len(l[0].tiles)), int32(len(l[0].slots)), int32(len(l[1].tiles)), int32(len(l[1].slots))}
		copy(host[lengthsAt+16*r:], cuda.Bytes(lengths))
		for kind, w := range l {
			for i, u := range w.units {
				copy(host[unitsAt+(r*slots+int(w.slots[i].Slot))*unit:], cuda.Bytes([]cuda.Unit{u}))
			}
			copy(host[workAt+(4*r+2*kind)*capacity*piece:], cuda.Bytes(w.tiles))
			copy(host[workAt+(4*r+2*kind+1)*capacity*piece:], cuda.Bytes(w.slots))
		}
	}
	return host
}

// round puts one round into the stream.
func (b *bucket) round(l lists) error {
	begin := step{kind: begin, geometry: cuda.Step{Kind: begin}}
	if err := b.engine.code.launches(b.stream, &begin, b.rounds, class{slots: 1}); err != nil {
		return err
	}
	for kind, table := range []*tables{b.trainTable, b.valueTable} {
		w := l[kind]
		if len(w.slots) == 0 {
			continue
		}
		k := b.most()
		k.tiles, k.slots = step23(len(w.tiles)), min(step23(len(w.slots)), b.engine.options.Slots)
		g, err := b.graph(table, k)
		if err != nil {
			return err
		}
		if err := b.stream.Run(g); err != nil {
			return err
		}
	}
	return nil
}

// graph is the sequence of a program's launches in grids of a class, captured once.
func (b *bucket) graph(table *tables, k class) (device.Graph, error) {
	k.latent, k.batch, k.trained = step23(k.latent), step23(k.batch), step23(k.trained)
	key := graphKey{table.program.training, k}
	if g, ok := b.graphs[key]; ok {
		return g, nil
	}
	if len(b.graphs) >= maxGraphs {
		if err := b.stream.Wait(); err != nil {
			return nil, err
		}
		for key, g := range b.graphs {
			if err := g.Close(); err != nil {
				return nil, err
			}
			delete(b.graphs, key)
		}
	}
	// Functions are looked up before, so that a capture holds launches alone and nothing else can spoil it.
	for i := range table.program.steps {
		if err := b.engine.code.ready(&table.program.steps[i], k); err != nil {
			return nil, err
		}
	}
	g, err := b.stream.Capture(func() error {
		for i := range table.program.steps {
			if err := b.engine.code.launches(b.stream, &table.program.steps[i], table.task(i), k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the launches of a step: %w", err)
	}
	b.graphs[key] = g
	return g, nil
}

// landed takes the rounds of a flight that has come back off the bucket's account and gives the slots as they were then.
func (b *bucket) landed(f *flight) []cuda.Slot {
	b.flights = slices.DeleteFunc(b.flights, func(g *flight) bool { return g == f })
	now := b.engine.options.Now()
	began := f.began
	if b.ended.After(began) {
		began = b.ended
	}
	b.ended = now
	// Rounds are taken for equally long.
	each := now.Sub(began) / time.Duration(f.rounds)
	for i, t := range f.trials {
		t.trainTime += time.Duration(f.units[i][0]) * each
		t.time += time.Duration(f.units[i][0]+f.units[i][1]) * each
	}
	bytes := b.engine.options.Slots * int(cuda.SizeOf[cuda.Slot]())
	return cuda.Tables[cuda.Slot](b.table(f)[:bytes])
}
