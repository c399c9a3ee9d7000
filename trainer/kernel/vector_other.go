//go:build !amd64

package kernel

// There is no assembly for this processor, and so no value of fast with vector set: nothing below is ever called.

func hasVector() bool { return false }

func none() { panic("kernel: no vector code on this processor") }

func tileAVX2(*panel)                                                                { none() }
func poolAVX2(_ *float32, _ *byte, _, _ *float32, _, _ int)                          { none() }
func unpoolAVX2(_, _, _ *float32, _ *byte, _, _ int)                                 { none() }
func listAVX2(*entry, *int32, *float32, *byte, *[4]int32, int, int, int)             { none() }
func windowsAVX2(_, _ *float32, _ *entry, _, _, _, _ int)                            { none() }
func spreadAVX2(_, _ *float32, _ *entry, _, _, _, _ int)                             { none() }
func addPixelsAVX2(_, _ *float32, _, _ int)                                          { none() }
func reluAVX2(*float32, int)                                                         { none() }
func leakyAVX2(*float32, int)                                                        { none() }
func expAVX2(*float32, int)                                                          { none() }
func sigmoidAVX2(*float32, int)                                                      { none() }
func tanhAVX2(*float32, int)                                                         { none() }
func reluBackwardAVX2(_, _ *float32, _ int)                                          { none() }
func leakyBackwardAVX2(_, _ *float32, _ int)                                         { none() }
func sigmoidBackwardAVX2(_, _ *float32, _ int)                                       { none() }
func tanhBackwardAVX2(_, _ *float32, _ int)                                          { none() }
func geluAVX2(_, _ *float32, _ int)                                                  { none() }
func geluBackwardAVX2(_, _ *float32, _ int)                                          { none() }
func adamAVX2(_, _, _, _ *float32, _ int, _ *adamConstants)                          { none() }
func sgdAVX2(_, _, _ *float32, _ int, _ *sgdConstants)                               { none() }
func sumSquaresAVX2(*float32, int, *[8]float64)                                      { none() }
func finiteAVX2(*float32, int) bool                                                  { none(); return false }
func gatherAVX2(*float32, *byte, int)                                                { none() }
func compareAVX2(_, _ *float32, _ int, _ *compareConstants, _ *compareSums)          { none() }
func compareSquareAVX2(_, _, _ *float32, _ int, _ *compareConstants, _ *compareSums) { none() }
func compareSizeAVX2(_, _, _ *float32, _ int, _ *compareConstants, _ *compareSums)   { none() }
func filterAVX2(_, _, _ *float32, _, _, _ int)                                       { none() }
func addAVX2(_, _, _ *float32, _ int)                                                { none() }
func ssimAVX2(*ssimLoop)                                                             { none() }
func philoxAVX2(*uint32, int, *philoxLoop)                                           { none() }
func keepAVX2(*byte, *uint32, int, uint16)                                           { none() }
func dropAVX2(_, _ *float32, _ *byte, _ int, _ float32)                              { none() }
func peakAVX2(int)                                                                   { none() }
func momentsAVX2(_, _, _ *float32, _, _ int)                                         { none() }
func normSumsAVX2(_, _, _, _ *float32, _, _ int)                                     { none() }
func normAVX2(_, _, _ *float32, _, _ int)                                            { none() }
func normPoolAVX2(_, _ *float32, _ *byte, _, _, _ *float32, _, _ int)                { none() }
func normGradAVX2(_, _, _, _ *float32, _, _ int)                                     { none() }
func normUnpoolAVX2(_, _, _, _, _ *float32, _ *byte, _ *float32, _, _ int)           { none() }
