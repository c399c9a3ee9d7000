package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// Panel is one chart of a document.
type Panel struct {
	Title  string
	Series []Series
	Log    bool
}

// Sizes of a document in pixels.
const (
	panelWidth  = 460
	panelHeight = 250
	plotLeft    = 62
	plotTop     = 40
	plotWidth   = 372
	plotHeight  = 168
	headHeight  = 44
	legendRow   = 16
)

// palette are the colours of the series, told apart by people with any kind of colour sight; beyond them lines repeat
// dashed.
var palette = [...]string{"#0060b5", "#c4500b", "#0a7d5a", "#a8327e", "#7a5f00", "#007d95", "#6b4bd1", "#5c6470"}

// CurvesSVG returns a standalone SVG document, with its own colours and text, that shows panels two in a row under
// title, x being the epoch. Panels without any finite value are left out.
func CurvesSVG(title string, panels []Panel) []byte {
	var drawn []Panel
	for _, p := range panels {
		if !NewPlot(p.Series, Options{Log: p.Log}).Empty() {
			drawn = append(drawn, p)
		}
	}
	legend := 0
	for _, p := range drawn {
		if len(p.Series) > 1 {
			legend = max(legend, (len(p.Series)+3)/4*legendRow)
		}
	}
	rows := (len(drawn) + 1) / 2
	w, h := 2*panelWidth, headHeight+max(rows, 1)*(panelHeight+legend)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Inter, system-ui, sans-serif" font-size="11" fill="#3f4654">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", escape(title), w, h)
	fmt.Fprintf(&b, `<text x="20" y="28" font-size="15" font-weight="600" fill="#16181d">%s</text>`+"\n", escape(title))
	if len(drawn) == 0 {
		fmt.Fprintf(&b, `<text x="20" y="64">No finite value was reported.</text>`+"\n")
	}
	for i, p := range drawn {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%2*panelWidth, headHeight+i/2*(panelHeight+legend))
		p.write(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (p Panel) write(b *bytes.Buffer) {
	plot := NewPlot(p.Series, Options{Log: p.Log, Whole: true})
	title := p.Title
	if plot.Log {
		title += " (logarithmic)"
	}
	fmt.Fprintf(b, `<text x="%d" y="24" font-size="12" font-weight="600" fill="#16181d">%s</text>`+"\n", plotLeft, escape(title))
	for _, t := range plot.YTicks {
		y := plotTop + (1-t.At)*plotHeight
		fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="#e4e6eb"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", plotLeft, y, plotWidth, plotLeft-8, y+4, escape(t.Label))
	}
	for _, t := range plot.XTicks {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", plotLeft+t.At*plotWidth, plotTop+plotHeight+18, escape(t.Label))
	}
	fmt.Fprintf(b, `<path d="M%d %dh%d" stroke="#8a919e"/>`+"\n", plotLeft, plotTop+plotHeight, plotWidth)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#5b6270">epoch</text>`+"\n", plotLeft+plotWidth, plotTop+plotHeight+34)
	for i, s := range p.Series {
		stroke := fmt.Sprintf(`stroke="%s"`, palette[s.Color%len(palette)])
		if s.Color >= len(palette) {
			stroke += ` stroke-dasharray="5 3"`
		}
		d := Path(MinMax(s.Points, plotWidth/2), plot.X, plot.Y, plotWidth, plotHeight)
		fmt.Fprintf(b, `<g transform="translate(%d %d)" fill="none" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" %s>`, plotLeft, plotTop, stroke)
		if d != "" {
			fmt.Fprintf(b, `<path d="%s"/>`, d)
		}
		if s.Mark != nil {
			if dot := Path([]Point{*s.Mark}, plot.X, plot.Y, plotWidth, plotHeight); dot != "" {
				fmt.Fprintf(b, `<path d="%s" stroke-width="7" stroke-dasharray="none"/>`, dot)
			}
		}
		b.WriteString("</g>\n")
		if len(p.Series) > 1 {
			x, y := plotLeft+i%4*100, plotTop+plotHeight+50+i/4*legendRow
			fmt.Fprintf(b, `<path d="M%d %dh16" stroke-width="2" %s/><text x="%d" y="%d">%s</text>`+"\n", x, y-4, stroke, x+22, y, escape(s.Name))
		}
	}
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes all
	return b.String()
}
