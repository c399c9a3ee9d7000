package study

import (
	"hash/fnv"
	"math/rand/v2"
)

// Purpose names what randomness is for, so that one draw more here moves nothing there.
type Purpose string

// The purposes that packages of this module use.
const (
	ForSampling Purpose = "sampling" // the epoch argument is the trial's number
	ForSplit    Purpose = "split"    // into train and validation
	ForWeights  Purpose = "weights"  // initial weights
	ForShuffle  Purpose = "shuffle"  // order of the training images in an epoch
	ForBaseline Purpose = "baseline" // the start of the principal components: fixed, of no study
	ForDropout  Purpose = "dropout"  // which values a step drops; the epoch argument is the step
	ForFlip     Purpose = "flip"     // which images an epoch turns left to right
	ForShapes   Purpose = "shapes"   // the generated data set; the epoch argument is the image

	ForCorruption Purpose = "corruption" // of an image on its way into a network
	ForCode       Purpose = "code"       // the draw of an image's variational code
	ForGenerated  Purpose = "generated"  // codes that images are generated from; the epoch argument is 0
)

// Key names a stream of random numbers.
type Key struct {
	key     [2]uint32
	counter [4]uint32
}

// Keyed is the key (seed, replicate, purpose, epoch). Streams of different keys are independent.
func Keyed(seed uint64, replicate int, purpose Purpose, epoch int) Key {
	h := fnv.New32a()
	h.Write([]byte(purpose)) // never fails
	return Key{
		key:     [2]uint32{uint32(seed), uint32(seed >> 32)},
		counter: [4]uint32{0, uint32(epoch), h.Sum32(), uint32(replicate)},
	}
}

// Block is block i of the key's stream, four words of 32 random bits, made without the blocks before it: what belongs to
// an image, or to a place in a batch, is drawn for it alone.
func (k Key) Block(i uint32) [4]uint32 {
	k.counter[0] = i
	return philox4x32(k.counter, k.key)
}

// Words are the key and the three upper words of the counter, for whoever makes the blocks by himself: the lowest word is
// the block's number.
func (k Key) Words() (key [2]uint32, counter [3]uint32) {
	return k.key, [3]uint32{k.counter[1], k.counter[2], k.counter[3]}
}

// Fill writes blocks i, i+1 … of the key's stream into dst, a multiple of 4 words; block numbers wrap around.
func (k Key) Fill(dst []uint32, i uint32) {
	for at := 0; at < len(dst); at += 4 {
		b := k.Block(i)
		copy(dst[at:], b[:])
		i++
	}
}

// Stream returns the random numbers keyed by (seed, replicate, purpose, epoch). A stream does not depend on what was drawn
// before: nothing of it has to be saved or restored.
func Stream(seed uint64, replicate int, purpose Purpose, epoch int) *rand.Rand {
	k := Keyed(seed, replicate, purpose, epoch)
	return rand.New(&philox{key: k.key, counter: k.counter})
}

// philox is the counter-based generator Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"
// (SC 2011): block i of a stream is a pure function of key and counter, so a GPU can make the same numbers. The lowest
// counter word numbers the blocks; the stream's own key sits in the other three.
type philox struct {
	key     [2]uint32
	counter [4]uint32
	block   [4]uint32
	used    int // words of block handed out, 0 before the first block
	started bool
}

// Uint64 returns the next two words of the stream, the first one in the low half.
func (p *philox) Uint64() uint64 {
	if !p.started || p.used == 4 {
		p.block = philox4x32(p.counter, p.key)
		p.counter[0]++
		p.used, p.started = 0, true
	}
	v := uint64(p.block[p.used]) | uint64(p.block[p.used+1])<<32
	p.used += 2
	return v
}

func philox4x32(c [4]uint32, k [2]uint32) [4]uint32 {
	for range 10 {
		p0 := uint64(0xD2511F53) * uint64(c[0])
		p1 := uint64(0xCD9E8D57) * uint64(c[2])
		c = [4]uint32{uint32(p1>>32) ^ c[1] ^ k[0], uint32(p1), uint32(p0>>32) ^ c[3] ^ k[1], uint32(p0)}
		k[0] += 0x9E3779B9
		k[1] += 0xBB67AE85
	}
	return c
}
