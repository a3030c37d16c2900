package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// writeArchive packs dir, whose name is the first part of every path. The names are in
// the order of filepath.WalkDir, which sorts them.
func writeArchive(out, dir string, date time.Time) (err error) {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if strings.HasSuffix(out, ".zip") {
		return writeZip(f, dir, date)
	}
	// The header of gzip has neither a name nor a date unless they are set.
	compressed, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	return errors.Join(writeTar(compressed, dir, filepath.Base(dir), date), compressed.Close())
}

// writeTar writes the files below dir; their names begin with prefix, which may be empty.
func writeTar(w io.Writer, dir, prefix string, date time.Time) error {
	t := tar.NewWriter(w)
	err := walk(dir, prefix, func(path, name string, info fs.FileInfo) error {
		h := &tar.Header{Name: name, Mode: int64(mode(info)), ModTime: date, Format: tar.FormatPAX}
		if info.IsDir() {
			h.Typeflag, h.Name = tar.TypeDir, name+"/"
			return t.WriteHeader(h)
		}
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		return copyFile(t, path)
	})
	return errors.Join(err, t.Close())
}

func writeZip(w io.Writer, dir string, date time.Time) error {
	z := zip.NewWriter(w)
	err := walk(dir, filepath.Base(dir), func(path, name string, info fs.FileInfo) error {
		if info.IsDir() {
			return nil
		}
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: date}
		h.SetMode(mode(info))
		entry, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		return copyFile(entry, path)
	})
	return errors.Join(err, z.Close())
}

func walk(dir, prefix string, entry func(path, name string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.IsDir() && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a directory", path)
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(filepath.ToSlash(filepath.Join(prefix, name)), "/")
		if name == "." || name == "" {
			return nil
		}
		return entry(path, name, info)
	})
}

// mode does not depend on the umask of whoever made the file.
func mode(info fs.FileInfo) fs.FileMode {
	if info.IsDir() || info.Mode()&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
