package deploy

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	compose "github.com/compose-spec/compose-go/v2/types"
	sigsyaml "sigs.k8s.io/yaml"
)

const composeDir = "../compose"

// loadCompose reads a compose file as docker compose does, against the schema of the
// specification, which refuses unknown keys.
func loadCompose(t *testing.T, text []byte) (*compose.Project, error) {
	t.Helper()
	dir, err := filepath.Abs(composeDir)
	if err != nil {
		t.Fatal(err)
	}
	return loader.LoadWithContext(t.Context(), compose.ConfigDetails{
		WorkingDir: dir, ConfigFiles: []compose.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml"), Content: text}}, Environment: compose.Mapping{},
	}, loader.WithProfiles([]string{"*"}))
}

func composeText(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(composeDir, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func composed(t *testing.T) *compose.Project {
	t.Helper()
	project, err := loadCompose(t, composeText(t))
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestCompose_IsValidAndAMisspeltKeyIsNot(t *testing.T) {
	project := composed(t)
	if got := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(got, []string{"fluent-bit", "grafana", "init", "loki", "passwords", "postgres", "setup", "zitadel"}) {
		t.Errorf("services %v", got)
	}
	for _, key := range []string{"healthcheck:", "depends_on:", "read_only:", "volumes:", "restart:"} {
		wrong := strings.Replace(string(composeText(t)), key, "x"+key, 1)
		if _, err := loadCompose(t, []byte(wrong)); err == nil {
			t.Errorf("x%s was accepted", key)
		}
	}
}

func TestCompose_ImagesArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$`)
	for name, s := range composed(t).Services {
		if !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %s has no version", name, s.Image)
		}
	}
}

// TestCompose_NoPasswordIsInTheRepository also keeps passwords out of environments, where
// `docker inspect` shows them.
func TestCompose_NoPasswordIsInTheRepository(t *testing.T) {
	secret := regexp.MustCompile(`(?i)password|secret|token|masterkey`)
	for name, s := range composed(t).Services {
		for key, value := range s.Environment {
			if secret.MatchString(key) && !(strings.HasSuffix(key, "_FILE") && strings.HasPrefix(*value, "/run/secrets/")) {
				t.Errorf("%s: %s is in the environment", name, key)
			}
		}
	}
	for _, file := range []string{"zitadel.yaml", "loki.yaml", "fluent-bit.yaml", "grafana/datasources.yaml"} {
		text, err := os.ReadFile(filepath.Join(composeDir, file))
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(`(?im)^\s*(password|token|masterkey|.*basicauth.*):`).Find(text); found != nil {
			t.Errorf("%s has a secret: %s", file, found)
		}
	}
}

func TestCompose_PortsAreOpenToThisMachineOnly(t *testing.T) {
	n := 0
	for name, s := range composed(t).Services {
		for _, p := range s.Ports {
			n++
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open at %q", name, p.Published, p.HostIP)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d ports", n)
	}
}

func TestCompose_MountsExistAndServicesAreChecked(t *testing.T) {
	project := composed(t)
	noShell := []string{"init", "setup", "passwords", "fluent-bit"}
	for name, s := range project.Services {
		for _, v := range s.Volumes {
			switch v.Type {
			case compose.VolumeTypeBind:
				if info, err := os.Stat(v.Source); err != nil || info.IsDir() || !v.ReadOnly {
					t.Errorf("%s: %s: %v, or it is a directory or writable", name, v.Source, err)
				}
			case compose.VolumeTypeVolume:
				if _, ok := project.Volumes[v.Source]; !ok {
					t.Errorf("%s: volume %s is not declared", name, v.Source)
				}
			}
		}
		if (s.HealthCheck == nil) != slices.Contains(noShell, name) {
			t.Errorf("%s: health check %v", name, s.HealthCheck)
		}
		for on, how := range s.DependsOn {
			if how.Condition == compose.ServiceConditionHealthy && project.Services[on].HealthCheck == nil {
				t.Errorf("%s waits for the health of %s, which has no check", name, on)
			}
		}
	}
}

// TestCompose_FluentBitReadsWhatIsMounted gives the configuration to `check` and to the real
// Fluent Bit, with the files of the mounts at other places.
func TestCompose_FluentBitReadsWhatIsMounted(t *testing.T) {
	service := composed(t).Services["fluent-bit"]
	root := t.TempDir()
	var moved []string
	config := ""
	for _, v := range service.Volumes {
		moved = append(moved, v.Target, filepath.Join(root, v.Target))
		if v.Type == compose.VolumeTypeBind {
			text, err := os.ReadFile(v.Source)
			if err != nil {
				t.Fatal(err)
			}
			config = string(text)
		} else if err := os.MkdirAll(filepath.Join(root, v.Target), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if want := "/etc/zitadel-siem/fluent-bit.yaml"; !slices.Equal(service.Command, []string{"-c", want}) || !slices.Contains(moved, want) {
		t.Fatalf("command %v, mounts %v", service.Command, moved)
	}
	token := filepath.Join(root, "/run/reader/token")
	if err := os.WriteFile(token, []byte("a-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	moved = append(moved, "/usr/lib/zitadel-siem", filepath.Dir(built(t, "in_zitadel.so")))
	file := filepath.Join(root, "fluent-bit.yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(moved...).Replace(config)), 0o600); err != nil {
		t.Fatal(err)
	}
	checks(t, "--fluent-bit", file)
	reads(t, file)
}

// reads starts the real Fluent Bit until its input begins to read.
func reads(t *testing.T, file string, more ...string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	log := new(seen)
	log.wanted, log.found = "reading starts", stop
	cmd := exec.CommandContext(ctx, fluentBit(t), append(more, "-c", file)...)
	cmd.Stdout, cmd.Stderr = log, log
	err := cmd.Run()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("it did not begin to read: %v\n%s", err, log.text.String())
	}
}

// seen calls found when a text was written to it.
type seen struct {
	text   strings.Builder
	wanted string
	found  func()
}

func (s *seen) Write(p []byte) (int, error) {
	s.text.Write(p)
	if strings.Contains(s.text.String(), s.wanted) {
		s.found()
	}
	return len(p), nil
}

func TestCompose_GrafanaFindsTheDashboardAndItsSource(t *testing.T) {
	project := composed(t)
	mounts := map[string]string{} // by target
	for _, v := range project.Services["grafana"].Volumes {
		if v.Type == compose.VolumeTypeBind {
			mounts[v.Target] = v.Source
		}
	}
	var sources struct {
		APIVersion  int `json:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault, Editable          bool
		}
	}
	var providers struct {
		APIVersion int `json:"apiVersion"`
		Providers  []struct {
			Name, Type     string
			AllowUIUpdates bool
			Options        struct{ Path string }
		}
	}
	for target, into := range map[string]any{"/etc/grafana/provisioning/datasources/loki.yaml": &sources, "/etc/grafana/provisioning/dashboards/zitadel-siem.yaml": &providers} {
		text, err := os.ReadFile(mounts[target])
		if err == nil {
			err = sigsyaml.UnmarshalStrict(text, into)
		}
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
	}
	if s := sources.Datasources[0]; s.Type != "loki" || s.URL != "http://loki:3100" || project.Services["loki"].Name == "" {
		t.Errorf("source %+v", s)
	}
	dashboards := 0
	for target, source := range mounts {
		if filepath.Dir(target) != providers.Providers[0].Options.Path {
			continue
		}
		dashboards++
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		var dashboard struct {
			UID        string
			Templating struct{ List []struct{ Type, Query any } }
		}
		if err := sigsyaml.Unmarshal(text, &dashboard); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(composeText(t)), "localhost:3000/d/"+dashboard.UID) {
			t.Errorf("the head of compose.yaml does not name the dashboard %s", dashboard.UID)
		}
		if source := dashboard.Templating.List[0]; source.Type != "datasource" || source.Query != sources.Datasources[0].Type {
			t.Errorf("%s asks for a source %v", target, source)
		}
	}
	if dashboards != 1 {
		t.Errorf("%d dashboards are where Grafana looks", dashboards)
	}
}
