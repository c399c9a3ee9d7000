package kernel

// implementations lists what this machine can run, the fastest last.
func implementations() []Kernels {
	all := []Kernels{reference{}, fast{}}
	if hasVector() {
		all = append(all, fast{vector: true})
	}
	return all
}
