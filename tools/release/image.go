package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nobody is a user without a name, the usual one of images without a shell.
const nobody = 65532

// imageOf is what is the same for every architecture.
type imageOf struct {
	version, commit string
	date            time.Time
}

// writeImage writes an OCI layout as a tar: one index with an image for each ARCH=DIR. DIR
// holds zitadel-siem, LICENSE and NOTICE.
func writeImage(out string, of imageOf, platforms []string) error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		arch, dir, ok := strings.Cut(platform, "=")
		if !ok {
			return errors.New(usage)
		}
		image, err := of.image(arch, dir)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: arch},
		}})
	}
	index = mutate.Annotations(index, of.labels()).(v1.ImageIndex)

	dir, err := os.MkdirTemp(filepath.Dir(out), ".image")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	written, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := written.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "zitadel-siem:" + of.version})); err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	return errors.Join(writeTar(f, dir, "", of.date), f.Close())
}

func (of imageOf) image(arch, dir string) (v1.Image, error) {
	content, err := of.layer(dir)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(9))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS: "linux", Architecture: arch, Created: v1.Time{Time: of.date},
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:       fmt.Sprint(nobody, ":", nobody),
			WorkingDir: "/var/lib/zitadel-siem",
			Entrypoint: []string{"/usr/bin/zitadel-siem"},
			Cmd:        []string{"pull", "--config", "/etc/zitadel-siem/config.yaml"},
			Labels:     of.labels(),
		},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{
		Created: v1.Time{Time: of.date}, CreatedBy: "tools/release image", Comment: "zitadel-siem " + of.version,
	}})
}

// labels are the annotations of the OCI image specification.
func (of imageOf) labels() map[string]string {
	const source = "https://github.com/zitadel-siem/zitadel-siem"
	return map[string]string{
		"org.opencontainers.image.title":       "zitadel-siem",
		"org.opencontainers.image.description": "ZITADEL's audit events for a SIEM: every event at least once",
		"org.opencontainers.image.source":      source,
		"org.opencontainers.image.url":         source,
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     strings.TrimPrefix(of.version, "v"),
		"org.opencontainers.image.revision":    of.commit,
		"org.opencontainers.image.created":     of.date.Format(time.RFC3339),
	}
}

// layer is the whole file system: the program, its licence, and the directory of the state,
// which is the user's so that a new volume there is too. There are no certificates: the
// program has Mozilla's for a system without.
func (of imageOf) layer(dir string) ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	add := func(name string, mode int64, owner int, path string) error {
		h := &tar.Header{Name: name, Mode: mode, Uid: owner, Gid: owner, ModTime: of.date, Format: tar.FormatPAX}
		if path == "" {
			h.Typeflag = tar.TypeDir
			return t.WriteHeader(h)
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		return copyFile(t, path)
	}
	var err error
	for _, name := range []string{"etc/", "etc/zitadel-siem/", "usr/", "usr/bin/", "usr/share/", "usr/share/doc/", "usr/share/doc/zitadel-siem/", "var/", "var/lib/"} {
		err = errors.Join(err, add(name, 0o755, 0, ""))
	}
	err = errors.Join(err, add("tmp/", 0o1777, 0, ""),
		add("var/lib/zitadel-siem/", 0o700, nobody, ""),
		add("usr/bin/zitadel-siem", 0o755, 0, filepath.Join(dir, "zitadel-siem")),
		add("usr/share/doc/zitadel-siem/LICENSE", 0o644, 0, filepath.Join(dir, "LICENSE")),
		add("usr/share/doc/zitadel-siem/NOTICE", 0o644, 0, filepath.Join(dir, "NOTICE")),
		t.Close()) // writes the end, so before Bytes
	return b.Bytes(), err
}
