// verify_export checks an exported ledger with the code of Go's checksum database (golang.org/x/mod/sumdb).
//
//	verify_export FOLDER VKEYFILE [KEPT]
//	verify_export --serve VKEYFILE [KEPT]
//
// Every stored hash is recomputed from the entries, every tile is compared with what those hashes give, the root with the signed one.
// Tile contents are never used as authenticated hashes. The entries' form and order and the openings' commitments are checked as
// the protocol describes them. KEPT is an older checkpoint, which the export must continue. Exit code 0: verified, 1: refused, 2: usage.
// With --serve folders are read from standard input, one a line, and each is answered with one line: `accepted ...` or `refused REASON: ...`.
package main

import (
	"bufio"
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

// refusal says which check refused.
type refusal struct {
	reason string
	err    error
}

func (r *refusal) Error() string { return r.reason + ": " + r.err.Error() }

// because names the check that an error came from, unless one is named already.
func because(reason string, err error) error {
	var named *refusal
	if err == nil || errors.As(err, &named) {
		return err
	}
	return &refusal{reason, err}
}

const tileHeight = 8

func openCheckpoint(text []byte, vkey string) (tree tlog.Tree, err error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, because("key", err)
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tree, because("signature", err)
	}
	// The library reads base64 with stray bits and forgets a signature that stands twice: the lines must be those that were read.
	for _, line := range strings.Split(strings.TrimSuffix(string(text[len(opened.Text)+1:]), "\n"), "\n") {
		blob := line[strings.LastIndex(line, " ")+1:]
		if _, err := base64.StdEncoding.Strict().DecodeString(blob); err != nil {
			return tree, err
		}
	}
	if len(opened.Sigs) != 1 || strings.Count(string(text), "\n\u2014 "+verifier.Name()+" ") != 1 {
		return tree, errors.New("not one signature by the known key")
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tree, errors.New("not a checkpoint of this origin")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 1 || strconv.FormatInt(size, 10) != lines[1] {
		return tree, errors.New("size is not a canonical decimal, or of an empty ledger")
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

func verify(folder, vkey, kept string) (int64, error) {
	own, err := os.ReadFile(filepath.Join(folder, "vkey"))
	if err != nil {
		return 0, because("files", err)
	}
	if string(own) != vkey+"\n" {
		return 0, because("key", errors.New("the export names another ledger key than the pinned one"))
	}
	text, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return 0, because("files", err)
	}
	signed, err := openCheckpoint(text, vkey)
	if err != nil {
		return 0, because("checkpoint", err)
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
	var entries [][]byte
	tiles := finalTiles(signed.N)
	for _, tile := range tiles {
		if tile.L != 0 {
			continue
		}
		path := strings.Replace(c2sp(tile), "tile/0/", "tile/entries/", 1)
		expected[path] = true
		data, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return 0, because("files", err)
		}
		bundle, err := splitBundle(data)
		if err != nil {
			return 0, because("form", fmt.Errorf("%s: %w", path, err))
		}
		if len(bundle) != tile.W || tile.N<<tileHeight != int64(len(entries)) {
			return 0, because("form", fmt.Errorf("%s holds %d entries, not %d", path, len(bundle), tile.W))
		}
		for _, entry := range bundle {
			hashes, err := tlog.StoredHashes(int64(len(entries)), entry, reader)
			if err != nil {
				return 0, because("root", err)
			}
			stored = append(stored, hashes...)
			entries = append(entries, entry)
		}
	}
	if int64(len(entries)) != signed.N {
		return 0, because("files", errors.New("entries are missing"))
	}
	for _, tile := range tiles {
		expected[c2sp(tile)] = true
	}
	if err := onlyExpected(folder, expected); err != nil {
		return 0, because("files", err)
	}
	root, err := tlog.TreeHash(signed.N, reader)
	if err != nil {
		return 0, because("root", err)
	}
	if root != signed.Hash {
		return 0, because("root", errors.New("entries do not hash to the signed root"))
	}

	for _, tile := range tiles {
		path := c2sp(tile)
		want, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return 0, because("tile", err)
		}
		got, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return 0, because("files", err)
		}
		if string(got) != string(want) {
			return 0, because("tile", fmt.Errorf("%s is not what the entries hash to", path))
		}
	}
	if err := proofs(signed, reader, stored); err != nil {
		return 0, because("proof", err)
	}
	if err := continues(signed, reader, kept, vkey); err != nil {
		return 0, because("history", err)
	}
	commitments, err := checkEntries(entries)
	if err != nil {
		return 0, because("entry", err)
	}
	return signed.N, because("opening", checkOpenings(folder, commitments))
}

// continues proves that the tree continues the one of a checkpoint that was kept.
func continues(signed tlog.Tree, reader tlog.HashReader, kept, vkey string) error {
	if kept == "" {
		return nil
	}
	older, err := openCheckpoint([]byte(kept), vkey)
	if err != nil {
		return err
	}
	if older.N > signed.N {
		return errors.New("the export is older than the kept checkpoint")
	}
	proof, err := tlog.ProveTree(signed.N, older.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, signed.N, signed.Hash, older.N, older.Hash)
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

func serve(vkey, kept string) {
	folders := bufio.NewScanner(os.Stdin)
	for folders.Scan() {
		size, err := verify(folders.Text(), vkey, kept)
		if err != nil {
			fmt.Println("refused", strings.NewReplacer("\n", " ", "\r", " ").Replace(err.Error()))
		} else {
			fmt.Println("accepted", size, "entries")
		}
	}
}

func main() {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: verify_export FOLDER|--serve VKEYFILE [KEPT]")
		os.Exit(2)
	}
	texts := []string{"", ""}
	for i, path := range os.Args[2:] {
		text, err := os.ReadFile(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		texts[i] = string(text)
	}
	vkey, kept := strings.TrimSpace(texts[0]), texts[1]
	if os.Args[1] == "--serve" {
		serve(vkey, kept)
		return
	}
	size, err := verify(os.Args[1], vkey, kept)
	if err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
	fmt.Println(size, "entries verified")
}
