// picture records a program on a terminal and writes what the terminal showed as an SVG
// that moves. `make picture` makes docs/demo.svg of the demo with it.
//
//	picture -o FILE [-title TEXT] [-columns N] [-rows N] [-last DURATION] PROGRAM [ARGUMENT...]
//
// Nothing is drawn by hand: the program runs on a pseudo terminal, a terminal emulator
// interprets what it writes, and each frame is the emulator's screen at that time. Only
// the frames of the end are kept (-last), so that the picture begins with a full screen.
// The exit status is 1 if the program fails.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// frameEvery is the shortest time between two frames. The demo writes a few lines a
// second, in bursts.
const frameEvery = 250 * time.Millisecond

func main() {
	out := flag.String("o", "", "the SVG to write")
	title := flag.String("title", "", "text of the title bar")
	columns := flag.Int("columns", 146, "width of the terminal")
	rows := flag.Int("rows", 22, "height of the terminal")
	last := flag.Duration("last", 8*time.Second, "keep the frames of this long before the end")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: picture -o FILE [-title TEXT] [-columns N] [-rows N] [-last DURATION] PROGRAM [ARGUMENT...]")
		os.Exit(2)
	}
	frames, err := record(exec.Command(flag.Arg(0), flag.Args()[1:]...), *columns, *rows)
	if err == nil {
		err = os.WriteFile(*out, svg(tail(frames, *last), *title, *columns, *rows), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// frame is the screen from a time on.
type frame struct {
	at    time.Duration // since the start of the program
	lines []line
}

// record runs cmd on a terminal until it ends.
func record(cmd *exec.Cmd, columns, rows int) ([]frame, error) {
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: uint16(rows), Cols: uint16(columns)})
	if err != nil {
		return nil, err
	}
	defer terminal.Close()
	chunks := make(chan []byte)
	var reading error
	go func() {
		defer close(chunks)
		for {
			b := make([]byte, 64<<10)
			n, err := terminal.Read(b)
			if n > 0 {
				chunks <- b[:n]
			}
			if err != nil {
				// Linux reports the end of the other side as EIO.
				if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EIO) {
					reading = err
				}
				return
			}
		}
	}()
	screen, began := vt.NewEmulator(columns, rows), time.Now()
	var frames []frame
	tick := time.NewTicker(frameEvery)
	defer tick.Stop()
	changed := false
	for open := true; open; {
		select {
		case b, ok := <-chunks:
			open = ok
			if _, err := screen.Write(b); err != nil {
				return nil, err
			}
			changed = changed || len(b) > 0
			continue
		case <-tick.C:
		}
		if changed {
			frames = append(frames, frame{time.Since(began), capture(screen, columns, rows)})
			changed = false
		}
	}
	frames = append(frames, frame{time.Since(began), capture(screen, columns, rows)})
	return frames, errors.Join(reading, cmd.Wait())
}

// tail returns the frames of the last d, with times that begin at zero.
func tail(frames []frame, d time.Duration) []frame {
	first := 0
	for first < len(frames)-1 && frames[len(frames)-1].at-frames[first].at > d {
		first++
	}
	kept := append([]frame(nil), frames[first:]...)
	for i, start := 0, kept[0].at; i < len(kept); i++ {
		kept[i].at -= start
	}
	return kept
}
