package checkpoint

import (
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
)

// onCores shares 0 … n-1 among all cores: each calls work once, with the numbers that fall to it, so that what a core needs
// for all of them is made once. It returns when all are done.
func onCores(n int, work func(turns iter.Seq[int])) {
	var next atomic.Int64
	turns := func(yield func(int) bool) {
		for i := int(next.Add(1) - 1); i < n && yield(i); i = int(next.Add(1) - 1) {
		}
	}
	var group sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() { work(turns) })
	}
	group.Wait()
}
