package chaos

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// inputConfig is what both Fluent Bits have in common. Retries come soon, so
// that the end of a run does not wait for them.
const inputConfig = `service:
  flush: 0.5
  grace: 2
  storage.path: %[1]s/storage
  scheduler.base: 1
  scheduler.cap: 2
pipeline:
  inputs:
    - name: zitadel
      tag: audit
      threaded: off
      storage.type: filesystem
      url: http://%[2]s
      token: ${ZITADEL_TOKEN}
      instance: %[3]s
      state_path: %[1]s/state/state
      transport: %[4]s
      settle: 200ms
      overlap: %[5]s
      poll_interval: 500ms
      request_timeout: 3s
      page_size: %[6]d
      buffer_size: 2M
  outputs:
`

const fileOutput = `    - name: file
      match: audit
      path: %[1]s
      file: records
      format: plain
      retry_limit: no_limits
`

const forwardOutput = `    - name: forward
      match: audit
      host: %[1]s
      port: %[2]s
      require_ack_response: on
      retry_limit: no_limits
      net.connect_timeout: 2
      net.io_timeout: 3
`

// fluentBit makes r a Fluent Bit with the input plugin.
func (w *world) fluentBit(r *reader, bin, plugin, output string) error {
	config := fmt.Sprintf(inputConfig, r.dir, r.up.addr(), instance, w.transport(), overlap, w.pageSize()) + output
	path := filepath.Join(r.dir, "fluent-bit.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return err
	}
	r.command = func(r *reader) *exec.Cmd {
		cmd := exec.Command(bin, "-e", plugin, "-c", path)
		cmd.Env = append(os.Environ(), "ZITADEL_TOKEN="+w.token)
		return cmd
	}
	return nil
}

func (w *world) toFile(r *reader) string {
	r.records = &follow{path: filepath.Join(r.dir, "records")}
	r.tally = newTally()
	return fmt.Sprintf(fileOutput, r.dir)
}

func (w *world) toFarEnd(r *reader) (string, error) {
	if err := w.addFarEnd(r, 2); err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(r.down.addr())
	return fmt.Sprintf(forwardOutput, host, port), err
}
