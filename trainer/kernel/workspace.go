package kernel

// Workspace is the scratch memory of one goroutine's calls. The zero value is ready; it grows during the first calls of
// each size and then stays. Nothing in it outlives a call.
type Workspace struct {
	f32 scratch[float32]
	f64 scratch[float64]
	// What a pooled gradient holds: see fast.ConvPoolBackward.
	entries scratch[entry]
	counts  scratch[int32]
	dropped [1024]uint32 // random words of a dropout's mask
	p       panel        // of the tile at work; here, so that it does not escape anew at each call
}

// Bytes is the memory that it holds.
func (ws *Workspace) Bytes() int {
	return 4*(len(ws.f32.buf)+len(ws.counts.buf)) + 8*(len(ws.f64.buf)+len(ws.entries.buf))
}

// reset starts a call: all that was taken before is given back.
func (ws *Workspace) reset() {
	ws.f32.reset()
	ws.f64.reset()
	ws.entries.reset()
	ws.counts.reset()
}

// floats takes n floats for the rest of the call; their contents are arbitrary.
func (ws *Workspace) floats(n int) []float32 { return ws.f32.take(n) }

// doubles takes n doubles for the rest of the call; their contents are arbitrary.
func (ws *Workspace) doubles(n int) []float64 { return ws.f64.take(n) }

// scratch hands out pieces of one buffer. What does not fit is made on the spot, and fits from the next call on.
type scratch[T any] struct {
	buf  []T
	used int
}

func (s *scratch[T]) reset() {
	if s.used > len(s.buf) {
		s.buf = make([]T, s.used)
	}
	s.used = 0
}

func (s *scratch[T]) take(n int) []T {
	from := s.used
	s.used += (n + 15) &^ 15
	if s.used > len(s.buf) {
		return make([]T, n)
	}
	return s.buf[from : from+n : from+n]
}
