package gpu

import (
	"fmt"
	"math"
	"time"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/device"
	"sweep/trainer/kernel"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// status of a trial.
type status int

const (
	running status = iota
	halted         // at an epoch's end
	failed         // by its own error
)

// trial is what a slot holds. What changes is guarded by its bucket's lock.
type trial struct {
	c      trainer.Config
	slot   int
	bucket *bucket

	train, forward *plan.Program
	room           *room
	at             device.Address // of the room
	sets           [2]*resident   // training and validation images

	state   status
	epoch   int     // finished
	step    int64   // of the optimiser, that were put into the stream
	done    int     // images of the epoch that were: of the training images, then of the validation images
	first   int64   // step before the epoch's first
	rate    float64 // learning rate of the last step
	hasBest bool

	// What is kept of the last epoch's end is complete after this mark; nil: it is already.
	kept     device.Mark
	keptStep int64

	trainTime, time time.Duration // of the epoch
}

func (t *trial) images() (train, all int) {
	train = t.c.Train.Len()
	return train, train + t.c.Validation.Len()
}

// over tells whether all units of the epoch were put into the stream.
func (t *trial) over() bool {
	_, all := t.images()
	return t.done == all
}

// left is how many units of the epoch are not in the stream yet.
func (t *trial) left() int {
	train, all := t.images()
	units := func(n int) int { return (n + t.c.Batch - 1) / t.c.Batch }
	if t.done < train {
		return units(train-t.done) + units(all-train)
	}
	return units(all - t.done)
}

// next is the next unit of the epoch.
func (t *trial) next() cuda.Unit {
	train, all := t.images()
	u := cuda.Unit{
		Order: cuda.Address(t.at) + cuda.Address(t.room.order), W: cuda.Address(t.at) + cuda.Address(t.room.w), First: int32(t.done),
	}
	if t.done == 0 {
		u.Clear = cuda.ClearTrain | cuda.ClearValidation | cuda.ClearFailed
		t.first = t.step
	}
	if t.done >= train {
		u.Pixels, u.N = cuda.Address(t.sets[1].at), int32(min(t.c.Batch, all-t.done))
		t.done += int(u.N)
		if u.Train = cuda.Validate; t.done == all {
			u.Last = 1
		}
		return u
	}
	u.Pixels, u.N, u.Train = cuda.Address(t.sets[0].at), int32(min(t.c.Batch, train-t.done)), cuda.Train
	if t.c.Flip == "horizontal" {
		u.Flips = cuda.Address(t.at) + cuda.Address(t.room.flips)
	}
	t.done += int(u.N)
	t.step++
	t.rate = trainer.LearningRate(t.c, (train+t.c.Batch-1)/t.c.Batch, t.step)
	setRates(&u, t.c, t.rate, t.step)
	setDropKey(&u, t.c, t.step)
	return u
}

// setRates fills in what the optimiser's step, counted from 1 over the trial, is made with.
func setRates(u *cuda.Unit, c trainer.Config, rate float64, step int64) {
	if c.Optimizer == "sgd" {
		u.Rate, u.Keep = kernel.SGDStep{LR: rate, WeightDecay: c.WeightDecay}.Numbers()
		return
	}
	s := kernel.DefaultAdam(rate, step)
	s.WeightDecay = c.WeightDecay
	u.Rate, u.Root, u.Keep = s.Numbers()
}

// setDropKey keys the dropouts of an optimiser step, counted from 1 over the trial.
func setDropKey(u *cuda.Unit, c trainer.Config, step int64) {
	key, counter := model.DropKey(c.Seed, c.Replicate, step).Words()
	u.Drop = [5]uint32{key[0], key[1], counter[0], counter[1], counter[2]}
}

// orders are what the device reads of the next epoch: the order of the training images, drawn from the epoch alone as on
// every engine, that of the validation images, and which are turned left to right.
func (t *trial) orders() []patch {
	train, all := t.images()
	order := make([]int, train)
	for i := range order {
		order[i] = i
	}
	r := study.Stream(t.c.Seed, t.c.Replicate, study.ForShuffle, t.epoch+1)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	list := make([]int32, all)
	for i := range list {
		if i < train {
			list[i] = int32(order[i])
		} else {
			list[i] = int32(i - train)
		}
	}
	out := []patch{{t.at + device.Address(t.room.order), cuda.Bytes(list)}}
	if t.c.Flip != "horizontal" {
		return out
	}
	flips := make([]byte, train)
	key := study.Keyed(t.c.Seed, t.c.Replicate, study.ForFlip, t.epoch+1)
	for i := range flips {
		flips[i] = byte(key.Block(uint32(i))[0] & 1)
	}
	return append(out, patch{t.at + device.Address(t.room.flips), flips})
}

// begin starts the next epoch.
func (t *trial) begin() {
	t.state, t.done, t.trainTime, t.time = running, 0, 0, 0
}

// report is that of an epoch that has ended, from what the device has summed.
func (t *trial) report(s *cuda.Slot) trainer.Report {
	return trainer.Report{
		Slot: t.slot, Epoch: t.epoch + 1, Train: sums(s.Train), Validation: sums(s.Validation),
		GradNorm: s.Norms / float64(max(1, s.Steps)), LearningRate: t.rate, TrainTime: t.trainTime, Time: t.time,
	}
}

// sums are those of the device as trainer has them.
func sums(s cuda.Sums) trainer.Sums {
	return trainer.Sums{
		Images: int(s.Images), Values: int(s.Values), Loss: s.Loss, SE: s.SE, AE: s.AE, SSIM: s.SSIM, Within: int(s.Within),
	}
}

// failure is the error of a slot that has left the finite numbers, in the words of every engine; nil: it has not.
func (t *trial) failure(s *cuda.Slot) error {
	switch s.Failed {
	case 0:
		return nil
	case cuda.FailedStep:
		return fmt.Errorf("epoch %d, step %d: %w", t.epoch+1, t.first+int64(s.Steps)+1, trainer.ErrNaN)
	case cuda.FailedValidation:
		return fmt.Errorf("epoch %d, validation: %w", t.epoch+1, trainer.ErrNaN)
	}
	return fmt.Errorf("epoch %d, weights: %w", t.epoch+1, trainer.ErrNaN)
}

// initial fills blocks of weights and, of a trial that goes on, moments and best weights with what a trial begins with.
func (t *trial) initial(st *trainer.State) (blocks map[int64][]float32, err error) {
	l := t.train.Layout
	w := l.NewBlock()
	blocks = map[int64][]float32{t.room.w: w, t.room.kept[0]: w}
	if st == nil {
		for i, x := range model.Init(t.c.Config, t.c.Seed, t.c.Replicate) {
			copy(l.Of(w, i), x)
		}
		from, _ := trainer.Fit(t.c.Config, t.c.Start)
		for i, f := range from {
			if f != nil {
				copy(l.Of(w, i), f.Data)
			}
		}
		return blocks, nil
	}
	if st.Epoch < 0 || st.Step < 0 {
		return nil, fmt.Errorf("epoch %d and step %d are not counts", st.Epoch, st.Step)
	}
	if st.Step > math.MaxInt32 {
		return nil, fmt.Errorf("step %d is more than an engine counts", st.Step)
	}
	put := func(name string, from []trainer.Tensor, at ...int64) error {
		block := w
		if at[0] != t.room.w {
			block = l.NewBlock()
		}
		for _, a := range at {
			blocks[a] = block
		}
		return trainer.PutTensors(name, from, l.Weights, func(i int) []float32 { return l.Of(block, i) })
	}
	if err := put("weights", st.Weights, t.room.w, t.room.kept[0]); err != nil {
		return nil, err
	}
	if err := put("first moments", st.M, t.room.m, t.room.kept[1]); err != nil {
		return nil, err
	}
	if t.room.v != 0 {
		if err := put("second moments", st.V, t.room.v, t.room.kept[2]); err != nil {
			return nil, err
		}
	}
	if t.hasBest = len(st.Best) > 0; t.hasBest {
		if err := put("best weights", st.Best, t.room.best); err != nil {
			return nil, err
		}
	}
	t.epoch, t.step, t.keptStep = st.Epoch, st.Step, st.Step
	return blocks, nil
}
