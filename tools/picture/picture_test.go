package main

import (
	"encoding/xml"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestThePictureShowsWhatTheTerminalShowed(t *testing.T) {
	cmd := exec.Command("sh", "-c", `printf 'one\r\n\033[31mred\033[0m <&>\r\ntwice\rtwo\033[K\r\n'; stty size`)
	frames, err := record(cmd, 40, 5)
	if err != nil {
		t.Fatal(err)
	}
	picture := string(svg(tail(frames, time.Second), "a & b", 40, 5))
	if err := xml.Unmarshal([]byte(picture), new(any)); err != nil {
		t.Error(err)
	}
	for _, want := range []string{">one<", ">two<", ` class="r" x="0.0" y="14" textLength="25.2">red<`, ">&lt;&amp;&gt;<", ">5 40<", "a &amp; b"} {
		if !strings.Contains(picture, want) {
			t.Errorf("no %q in\n%s", want, picture)
		}
	}
}

func TestAProgramThatFailsGivesNoPicture(t *testing.T) {
	if _, err := record(exec.Command("sh", "-c", "exit 3"), 40, 5); err == nil {
		t.Error("no error")
	}
}

func TestTheTailBeginsAtZeroAndHasTheLastFrame(t *testing.T) {
	var frames []frame
	for s := range 10 {
		frames = append(frames, frame{at: time.Duration(s) * time.Second})
	}
	kept := tail(frames, 3*time.Second)
	if len(kept) != 4 || kept[0].at != 0 || kept[3].at != 3*time.Second {
		t.Errorf("%v", kept)
	}
}
