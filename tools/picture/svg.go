package main

import (
	"fmt"
	"html"
	"image/color"
	"strings"
	"time"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/vt"
)

// line is one row of the screen.
type line []run

// run is text of one style.
type run struct {
	column, cells int
	text, class   string
}

// capture is the screen as text, without the blanks at the ends of its lines.
func capture(screen *vt.Emulator, columns, rows int) []line {
	lines := make([]line, rows)
	for y := range rows {
		var l line
		for x := 0; x < columns; {
			cell := screen.CellAt(x, y)
			text, class, width := " ", "", 1
			if cell != nil && cell.Content != "" {
				text, class, width = cell.Content, classOf(cell.Style), max(1, cell.Width)
			}
			if n := len(l); n > 0 && l[n-1].class == class {
				l[n-1].text += text
				l[n-1].cells += width
			} else {
				l = append(l, run{x, width, text, class})
			}
			x += width
		}
		lines[y] = trim(l)
	}
	return lines
}

// trim removes blanks. Text that begins with several blanks begins later, so that no
// viewer has to keep them.
func trim(l line) line {
	var out line
	for _, r := range l {
		start := strings.TrimLeft(r.text, " ")
		blanks := len(r.text) - len(start)
		r.column, r.cells = r.column+blanks, r.cells-blanks
		r.text = strings.TrimRight(start, " ")
		r.cells -= len(start) - len(r.text)
		if r.text != "" {
			out = append(out, r)
		}
	}
	return out
}

// classOf is the style as classes of the style sheet: colours that the demo uses.
func classOf(s uv.Style) string {
	var classes []string
	if s.Attrs&uv.AttrBold != 0 {
		classes = append(classes, "b")
	}
	if s.Attrs&uv.AttrFaint != 0 {
		classes = append(classes, "d")
	}
	if name := colourOf(s.Fg); name != "" {
		classes = append(classes, name)
	}
	return strings.Join(classes, " ")
}

// colourOf is red or cyan for a colour that is mostly that, otherwise nothing: text in
// the colour of the terminal.
func colourOf(c color.Color) string {
	if c == nil {
		return ""
	}
	r, g, b, _ := c.RGBA()
	switch {
	case r > 0x5000 && g < r/2 && b < r/2:
		return "r"
	case g > 0x5000 && b > 0x5000 && r < g/2:
		return "c"
	}
	return ""
}

// The size of a cell, in pixels, for a font of 14 pixels.
const (
	cellWidth, cellHeight = 8.4, 18.0
	margin, bar           = 16.0, 34.0
)

// hold is how long the last frame, which has the sum, stays.
const hold = 5 * time.Second

const style = `text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:#d4d7dd;white-space:pre}
.b{font-weight:bold}.d{fill:#8a919e}.r{fill:#ff7b72}.c{fill:#56d4dd}.t{fill:#9aa1ad}
`

// svg shows one frame after the other, again and again. Each distinct line of text
// stands once in the file. Readers who asked for less motion see the last frame.
func svg(frames []frame, title string, columns, rows int) []byte {
	width, height := float64(columns)*cellWidth+2*margin, float64(rows)*cellHeight+bar+margin
	screenHeight := float64(rows) * cellHeight
	total := frames[len(frames)-1].at + hold

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="Recording of %s">`+"\n",
		width, height, width, height, html.EscapeString(title))
	b.WriteString("<style>\n" + style)
	fmt.Fprintf(&b, "#film{animation:film %.2fs step-end infinite}\n@keyframes film{\n", total.Seconds())
	for i, f := range frames {
		fmt.Fprintf(&b, "%.2f%%{transform:translateY(%.0fpx)}\n", 100*f.at.Seconds()/total.Seconds(), -float64(i)*screenHeight)
	}
	fmt.Fprintf(&b, "}\n@media (prefers-reduced-motion){#film{animation:none;transform:translateY(%.0fpx)}}\n</style>\n",
		-float64(len(frames)-1)*screenHeight)

	ids, defs, film := map[string]int{}, &strings.Builder{}, &strings.Builder{}
	for i, f := range frames {
		for y, l := range f.lines {
			text := textOf(l)
			if text == "" {
				continue
			}
			id, known := ids[text]
			if !known {
				id = len(ids)
				ids[text] = id
				fmt.Fprintf(defs, "<g id=\"l%d\">%s</g>\n", id, text)
			}
			fmt.Fprintf(film, "<use href=\"#l%d\" y=\"%.0f\"/>\n", id, float64(i)*screenHeight+float64(y)*cellHeight)
		}
	}
	fmt.Fprintf(&b, "<defs>\n%s<clipPath id=\"screen\"><rect width=\"%.1f\" height=\"%.0f\"/></clipPath>\n</defs>\n", defs, float64(columns)*cellWidth, screenHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="#16181d"/>`+"\n")
	fmt.Fprintf(&b, `<circle cx="20" cy="17" r="5" fill="#4a4f59"/><circle cx="38" cy="17" r="5" fill="#4a4f59"/><circle cx="56" cy="17" r="5" fill="#4a4f59"/>`+"\n")
	fmt.Fprintf(&b, `<text class="t" x="50%%" y="22" text-anchor="middle">%s</text>`+"\n", html.EscapeString(title))
	fmt.Fprintf(&b, `<g transform="translate(%.0f %.0f)" clip-path="url(#screen)"><g id="film">`+"\n%s</g></g>\n</svg>\n", margin, bar, film)
	return []byte(b.String())
}

// textOf gives each run its place and its width in cells, so that columns stay columns
// whatever font the reader has.
func textOf(l line) string {
	var b strings.Builder
	for _, r := range l {
		class := ""
		if r.class != "" {
			class = ` class="` + r.class + `"`
		}
		fmt.Fprintf(&b, `<text%s x="%.1f" y="14" textLength="%.1f">%s</text>`, class, float64(r.column)*cellWidth, float64(r.cells)*cellWidth, html.EscapeString(r.text))
	}
	return b.String()
}
