package gpu

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sweep/trainer"
	"sweep/trainer/device"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/plan"
)

// maxTiles is how many groups of [cuda.Tile] images a batch of a trial that is alone may have.
const maxTiles = 256

// idleBuckets is how many stacks without a trial are kept ready.
const idleBuckets = 8

// Options say how a device is used.
type Options struct {
	Slots     int    // trials at once, at least 1
	Precision string // fp32, tf32, bf16; empty: fp32
	// Memory is how many bytes of the device the engine takes; 0: what is free but for a twentieth that the driver may need, and
	// less, down to half of it, where that is not to be had in one piece.
	Memory int64
	Now    func() time.Time // for the durations of reports only; nil: time.Now
}

// Engine trains many trials at once on one GPU.
//
// Methods for different slots may be called at the same time as each other and as Advance; for one slot one at a time.
type Engine struct {
	gpu      device.GPU
	options  Options
	code     *code
	carrier  *carrier // of what is loaded, which may wait for rounds
	viewing  *carrier // of evaluations and saved states, which do not
	capacity int      // of a bucket's lists of tiles

	block device.Address // all memory that the engine has

	making  sync.Mutex // held while a bucket is looked for or made, before mu
	mu      sync.Mutex // guards what follows
	heap    *heap
	going   []leaving
	slots   []*trial
	buckets []*bucket
	data    map[setKey]*resident
	pins    [][]byte // buffers of flights that are not in use
	failure error    // of the device as a whole

	landed  chan *flight
	flying  int // flights that have not been taken from landed, known to Advance alone
	watches sync.WaitGroup
}

// leaving is memory of a trial that is gone, which the device may still be using until a mark.
type leaving struct {
	at    device.Address
	bytes int64
	mark  device.Mark
}

var _ trainer.Engine = (*Engine)(nil)

// New makes the engine of a device, which it closes with itself. It takes most of the memory that is free.
func New(gpu device.GPU, o Options) (*Engine, error) {
	if o.Precision == "" {
		o.Precision = "fp32"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	switch {
	case o.Slots < 1:
		return nil, fmt.Errorf("use %s: %d slots are not at least 1", gpu.Info().ID, o.Slots)
	case !slices.Contains(precisions, o.Precision):
		return nil, fmt.Errorf("use %s: precision %q is not one of %s", gpu.Info().ID, o.Precision, strings.Join(precisions, ", "))
	}
	e := &Engine{
		gpu: gpu, options: o, code: newCode(gpu, o.Precision), slots: make([]*trial, o.Slots), data: map[setKey]*resident{},
		capacity: max(maxTiles, 32*o.Slots),
		// No bucket without a trial sends anything.
		landed: make(chan *flight, maxFlights*(o.Slots+idleBuckets+1)),
	}
	bytes, err := e.seize(o.Memory)
	if err != nil {
		err = fmt.Errorf("take memory of %s: %w", gpu.Info().ID, e.told(err))
		if errors.Is(err, trainer.ErrMemory) {
			err = fmt.Errorf("%w; another program may hold it: free it there, or train on cores with --devices cpu", err)
		}
		return nil, err
	}
	e.heap = newHeap(e.block, bytes)
	if e.carrier, err = newCarrier(gpu); err == nil {
		e.viewing, err = newCarrier(gpu)
	}
	if err != nil {
		gpu.Free(e.block) //nolint:errcheck // the first error counts
		return nil, fmt.Errorf("use %s: %w", gpu.Info().ID, e.told(err))
	}
	return e, nil
}

// seize takes the engine's memory; bytes 0: nearly all that is free. That is not always to be had in one piece, and other
// programs take of it meanwhile, so that less is tried too, down to half.
func (e *Engine) seize(bytes int64) (int64, error) {
	most, least := bytes, bytes
	step := int64(1)
	if bytes == 0 {
		free, _, err := e.gpu.Memory()
		if err != nil {
			return 0, err
		}
		step = max(1, free/20)
		most, least = free-step, free/2
	}
	for bytes = most; ; bytes -= step {
		var err error
		if e.block, err = e.gpu.Alloc(bytes); err == nil {
			return bytes, nil
		}
		if !errors.Is(err, device.ErrMemory) || bytes-step < least {
			return 0, fmt.Errorf("%s: %w", sizes(most, bytes), err)
		}
	}
}

// sizes are those that were tried, from the largest to the last.
func sizes(most, last int64) string {
	if most == last {
		return mebibytes(most)
	}
	return mebibytes(most) + " down to " + mebibytes(last)
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20) }

// told makes an error of the device one of the trainer's, and remembers that a context is lost.
func (e *Engine) told(err error) error {
	switch {
	case errors.Is(err, device.ErrLost):
		err = fmt.Errorf("%w: %w", trainer.ErrDevice, err)
		e.mu.Lock()
		e.failure = err
		e.mu.Unlock()
	case errors.Is(err, device.ErrMemory):
		err = fmt.Errorf("%w: %w", trainer.ErrMemory, err)
	}
	return err
}

// stopped makes any error of what is sent to the device a loss of it: trials have moved on by then in the host's accounts, so
// that none of them can go on here, but all can from their checkpoints.
func (e *Engine) stopped(err error) error {
	if err = e.told(err); errors.Is(err, trainer.ErrDevice) {
		return err
	}
	return e.told(fmt.Errorf("%w: %w", device.ErrLost, err))
}

// lost is the error of a device that is gone.
func (e *Engine) lost() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failure
}

// Device is the device's ID: "cuda:0".
func (e *Engine) Device() string { return e.gpu.Info().ID }

// Hardware says what kind of device trials get their bits on: "NVIDIA H100 80GB HBM3, fp32". The same trial gives the same
// bits on devices of one kind.
func (e *Engine) Hardware() string { return e.gpu.Info().Name + ", " + e.options.Precision }

// Slots is the number of trials that it trains at once.
func (e *Engine) Slots() int { return e.options.Slots }

// Kinds lists the steps of a plan that there are kernels for, and the optimisers.
func (e *Engine) Kinds() []string { return Kinds() }

// Kinds lists the steps of a plan that there are kernels for, and the optimisers.
func Kinds() []string {
	var out []string
	for _, k := range plan.Kinds() {
		one := cuda.Shape{H: 2, W: 2, C: 1}
		s := step{kind: k, geometry: cuda.Step{Kind: k, Side: 3, D: one, S: one, R: one, CropH: 2, CropW: 2}}
		if s.runs() {
			out = append(out, k)
		}
	}
	return append(out, trainer.Optimisers()...)
}

// Need is what a trial takes of a device's memory in a precision, in bytes, data sets not counted. The error is that of a
// configuration that no engine can train.
func Need(c trainer.Config, precision string) (int64, error) {
	train, _, err := programs(c.Config)
	if err != nil {
		return 0, err
	}
	trainPlan, forwardPlan, err := plans(c.Config, c.Batch)
	if err != nil {
		return 0, err
	}
	return newRoom(c, trainPlan, forwardPlan, train.split, valueBytes(precision)).bytes, nil
}

// take takes memory, waiting for what trials that are gone still use, and giving up data sets and stacks that no trial uses.
// It wraps [trainer.ErrMemory] where there is none.
func (e *Engine) take(bytes int64) (device.Address, error) {
	at, err := e.fit(bytes)
	if !errors.Is(err, trainer.ErrFull) {
		return at, err
	}
	e.making.Lock()
	defer e.making.Unlock()
	return e.squeeze(bytes)
}

// squeeze is take for who makes a bucket: making is held.
func (e *Engine) squeeze(bytes int64) (device.Address, error) {
	for {
		at, err := e.fit(bytes)
		if !errors.Is(err, trainer.ErrFull) {
			return at, err
		}
		if dismissed, failure := e.dismiss(0); failure != nil || !dismissed {
			return 0, cmp.Or(failure, err)
		}
	}
}

// fit is take beside the stacks that there are.
func (e *Engine) fit(bytes int64) (device.Address, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.reap(false); err != nil {
		return 0, err
	}
	if at, ok := e.heap.take(bytes); ok {
		return at, nil
	}
	if err := e.reap(true); err != nil {
		return 0, err
	}
	for key, d := range e.data {
		if at, ok := e.heap.take(bytes); ok {
			return at, nil
		}
		if d.users == 0 {
			e.heap.give(d.at, d.bytes)
			delete(e.data, key)
		}
	}
	at, ok := e.heap.take(bytes)
	if !ok {
		return 0, e.short(bytes)
	}
	return at, nil
}

// short says why there is no room for so many bytes.
func (e *Engine) short(bytes int64) error {
	if bytes > e.heap.bytes {
		return fmt.Errorf("it needs %s of the GPU's memory, which has %s for trials: lower batch, filters or latent: %w",
			mebibytes(bytes), mebibytes(e.heap.bytes), trainer.ErrMemory)
	}
	return fmt.Errorf("it needs %s of the GPU's memory in one piece, where %s are left beside the other trials: lower batch, filters "+
		"or latent, or train fewer at once: %w: %w", mebibytes(bytes), mebibytes(e.heap.left()), trainer.ErrFull, trainer.ErrMemory)
}

// reap gives back memory of trials that are gone which the device has done with; wait: all of it.
func (e *Engine) reap(wait bool) error {
	kept := e.going[:0]
	var failure error
	for _, l := range e.going {
		done, err := true, error(nil)
		if wait {
			err = l.mark.Wait()
		} else {
			done, err = l.mark.Done()
		}
		switch {
		case err != nil:
			failure = err
			kept = append(kept, l)
		case !done:
			kept = append(kept, l)
		default:
			l.mark.Close() //nolint:errcheck // it was reached
			e.heap.give(l.at, l.bytes)
		}
	}
	e.going = kept
	return failure
}

// give gives back memory that the device has done with.
func (e *Engine) give(at device.Address, bytes int64) {
	if at == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heap.give(at, bytes)
}

// pin gives a buffer for a flight.
func (e *Engine) pin() ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.pins); n > 0 {
		b := e.pins[n-1]
		e.pins = e.pins[:n-1]
		return b, nil
	}
	return e.gpu.Pinned(e.flightBytes() + e.options.Slots*int(cuda.SizeOf[cuda.Slot]()))
}

func (e *Engine) unpin(b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pins = append(e.pins, b)
}

// stacks are the buckets that there are.
func (e *Engine) stacks() []*bucket {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.buckets)
}

// follow waits for a flight beside everything else.
func (e *Engine) follow(f *flight) {
	e.flying++
	e.watches.Go(func() {
		f.err = f.mark.Wait()
		f.mark.Close() //nolint:errcheck // it was reached, or all is lost
		e.landed <- f
	})
}

// Advance puts up to n units of every trial that has any left into the device's queues, and takes what has come back of
// earlier ones: it returns at once while the device has less than two calls' worth of work, and else when the first has been
// done, so that the device goes on while the caller looks at the reports.
func (e *Engine) Advance(ctx context.Context, n int) ([]trainer.Report, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := e.lost(); err != nil {
		return nil, fmt.Errorf("advance: %w", err)
	}
	room := false // whether a bucket that has work could take more
	for _, b := range e.stacks() {
		sent, err := b.send(n)
		if err != nil {
			return nil, fmt.Errorf("advance: %w", e.stopped(err))
		}
		room = room || sent && b.hungry()
	}
	var reports []trainer.Report
	for e.flying > 0 {
		var f *flight
		if room {
			select {
			case f = <-e.landed:
			default:
				return reports, nil
			}
		} else {
			select {
			case f = <-e.landed:
			case <-ctx.Done():
				return reports, ctx.Err()
			}
			room = true // whatever else has landed is taken along
		}
		e.flying--
		if f.err != nil {
			return reports, fmt.Errorf("advance: %w", e.stopped(f.err))
		}
		reports = append(reports, e.took(f)...)
	}
	return reports, nil
}

// hungry tells whether the bucket could take another flight, and has work for it.
func (b *bucket) hungry() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.flights) >= maxFlights {
		return false
	}
	for _, t := range b.trials {
		if t != nil && t.state == running && !t.over() {
			return true
		}
	}
	return false
}

// took is what a flight has brought back: reports of the trials that have halted.
func (e *Engine) took(f *flight) []trainer.Report {
	b := f.bucket
	b.mu.Lock()
	defer b.mu.Unlock()
	table := b.landed(f)
	e.unpin(f.host)
	var out []trainer.Report
	for i, t := range f.trials {
		if b.trials[t.slot] != t || t.state != running {
			continue // it was cleared, or has failed before
		}
		s := &table[t.slot]
		if err := t.failure(s); err != nil {
			t.state = failed
			out = append(out, trainer.Report{Slot: t.slot, Epoch: t.epoch + 1, Err: err})
			continue
		}
		if f.ends[i] {
			out = append(out, t.report(s))
			t.state = halted
			t.epoch++
		}
	}
	return out
}

// at is the trial in a slot.
func (e *Engine) at(slot int) (*trial, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.failure != nil:
		return nil, e.failure
	case slot < 0 || slot >= len(e.slots) || e.slots[slot] == nil:
		return nil, fmt.Errorf("slot %d holds no trial", slot)
	}
	return e.slots[slot], nil
}

// Continue starts the next epoch. keepBest first copies the weights to the best set, on the device.
func (e *Engine) Continue(slot int, keepBest bool) error {
	t, err := e.at(slot)
	if err != nil {
		return fmt.Errorf("continue: %w", err)
	}
	b := t.bucket
	b.mu.Lock()
	ready := t.state == halted
	b.mu.Unlock()
	if !ready {
		return errors.New("continue: the trial does not stand at an epoch's end")
	}
	orders := t.orders() // without the lock: Advance goes on with other trials
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := t.proceed(keepBest, orders); err != nil {
		return fmt.Errorf("continue: %w", e.told(err))
	}
	return nil
}

// proceed keeps the state of the epoch's end and starts the next epoch.
func (t *trial) proceed(keepBest bool, orders []patch) error {
	b, r := t.bucket, t.room
	on := func(offset int64) device.Address { return t.at + device.Address(offset) }
	type pair struct{ to, from int64 }
	copies := []pair{{r.kept[0], r.w}, {r.kept[1], r.m}}
	if r.v != 0 {
		copies = append(copies, pair{r.kept[2], r.v})
	}
	if keepBest {
		copies = append(copies, pair{r.best, r.w})
	}
	for _, c := range copies {
		if err := b.stream.Copy(on(c.to), on(c.from), r.block); err != nil {
			return err
		}
	}
	if err := b.engine.carrier.put(orders, b.stream.After); err != nil {
		return err
	}
	if t.kept != nil {
		t.kept.Close() //nolint:errcheck // it is replaced
		t.kept = nil
	}
	var err error
	if t.kept, err = b.stream.Mark(); err != nil {
		return err
	}
	t.keptStep = t.step
	t.hasBest = t.hasBest || keepBest
	t.begin()
	return nil
}

// Close waits for the device and frees all that it holds, the device with it.
func (e *Engine) Close() error {
	for _, b := range e.stacks() {
		b.mu.Lock()
		b.stream.Wait() //nolint:errcheck // nothing comes of what is under way
		b.mu.Unlock()
	}
	e.watches.Wait()
	return e.gpu.Close()
}
