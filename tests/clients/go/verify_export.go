// verify_export checks an exported ledger with the code of Go's checksum database (golang.org/x/mod/sumdb).
//
//	verify_export FOLDER VKEYFILE
//
// Every stored hash is recomputed from the entries, every tile is compared with what those hashes give, the root with the signed one.
// Tile contents are never used as authenticated hashes. Exit code 0: verified, 1: refused, 2: usage.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

func openCheckpoint(text []byte, vkey string) (tree tlog.Tree, err error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tree, errors.New("not a checkpoint of this origin")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tree, errors.New("size is not a canonical decimal")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tree, errors.New("root is not a hash")
	}
	tree.N = size
	copy(tree.Hash[:], root)
	return tree, nil
}

// c2sp turns the path of Go's tile layout into that of C2SP tlog-tiles, which fixes the height and leaves it out.
func c2sp(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
}

// finalTiles keeps the widest of each tile: older versions of the library also list every narrower one on the way to this size.
func finalTiles(size int64) []tlog.Tile {
	var final []tlog.Tile
	for _, tile := range tlog.NewTiles(tileHeight, 0, size) {
		if last := len(final) - 1; last >= 0 && final[last].L == tile.L && final[last].N == tile.N {
			final[last] = tile
		} else {
			final = append(final, tile)
		}
	}
	return final
}

func splitBundle(data []byte) ([][]byte, error) {
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, errors.New("bundle ends inside an entry")
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	return entries, nil
}

func verify(folder, vkey string) (int64, error) {
	own, err := os.ReadFile(filepath.Join(folder, "vkey"))
	if err != nil {
		return 0, err
	}
	if strings.TrimSpace(string(own)) != vkey {
		return 0, errors.New("the export names another ledger key than the pinned one")
	}
	text, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return 0, err
	}
	signed, err := openCheckpoint(text, vkey)
	if err != nil {
		return 0, err
	}

	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index >= int64(len(stored)) {
				return nil, errors.New("hash beyond the tree")
			}
			found[i] = stored[index]
		}
		return found, nil
	})

	expected := map[string]bool{}
	leaf := int64(0)
	tiles := finalTiles(signed.N)
	for _, tile := range tiles {
		if tile.L != 0 {
			continue
		}
		path := strings.Replace(c2sp(tile), "tile/0/", "tile/entries/", 1)
		expected[path] = true
		data, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return 0, err
		}
		entries, err := splitBundle(data)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		if len(entries) != tile.W || tile.N<<tileHeight != leaf {
			return 0, fmt.Errorf("%s holds %d entries, not %d", path, len(entries), tile.W)
		}
		for _, entry := range entries {
			hashes, err := tlog.StoredHashes(leaf, entry, reader)
			if err != nil {
				return 0, err
			}
			stored = append(stored, hashes...)
			leaf++
		}
	}
	if leaf != signed.N {
		return 0, errors.New("entries are missing")
	}
	root, err := tlog.TreeHash(signed.N, reader)
	if err != nil {
		return 0, err
	}
	if root != signed.Hash {
		return 0, errors.New("entries do not hash to the signed root")
	}

	for _, tile := range tiles {
		path := c2sp(tile)
		expected[path] = true
		want, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return 0, err
		}
		got, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return 0, err
		}
		if string(got) != string(want) {
			return 0, fmt.Errorf("%s is not what the entries hash to", path)
		}
	}
	if err := onlyExpected(folder, expected); err != nil {
		return 0, err
	}
	return signed.N, proofs(signed, reader, stored)
}

func onlyExpected(folder string, expected map[string]bool) error {
	return filepath.WalkDir(filepath.Join(folder, "tile"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if !expected[filepath.ToSlash(relative)] {
			return fmt.Errorf("%s should not be there", relative)
		}
		return nil
	})
}

// proofs proves every entry (every n-th of a large log) and the consistency of every power of two with the signed root.
func proofs(tree tlog.Tree, reader tlog.HashReader, stored []tlog.Hash) error {
	for n := int64(0); n < tree.N; n += 1 + tree.N/2048 {
		proof, err := tlog.ProveRecord(tree.N, n, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, stored[tlog.StoredHashIndex(0, n)]); err != nil {
			return err
		}
	}
	for n := int64(1); n <= tree.N; n *= 2 {
		older, err := tlog.TreeHash(n, reader)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(tree.N, n, reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, n, older); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: verify_export FOLDER VKEYFILE")
		os.Exit(2)
	}
	vkey, err := os.ReadFile(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	size, err := verify(os.Args[1], strings.TrimSpace(string(vkey)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
	fmt.Println(size, "entries verified")
}
