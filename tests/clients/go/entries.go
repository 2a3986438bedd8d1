// What the protocol says about entries and openings: canonical form, ids, times, commitments.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const maxLeaf = 4096

var (
	moment = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
	uuid7  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
)

// member is one member of a JSON object in the order of the text.
type member struct {
	name  string
	value any
}

// read reads one JSON text without repeated members: two readers could take two different ones.
func read(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := readValue(decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("text behind the value")
	}
	return value, nil
}

func readValue(decoder *json.Decoder, depth int) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if depth > 64 {
		return nil, errors.New("nested too deeply")
	}
	switch token {
	case json.Delim('{'):
		var object []member
		seen := map[string]bool{}
		for decoder.More() {
			name, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			value, err := readValue(decoder, depth+1)
			if err != nil {
				return nil, err
			}
			if seen[name.(string)] {
				return nil, errors.New("a member stands twice")
			}
			seen[name.(string)] = true
			object = append(object, member{name.(string), value})
		}
		_, err := decoder.Token()
		return object, err
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			value, err := readValue(decoder, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := decoder.Token()
		return list, err
	}
	return token, nil
}

// canonical writes the RFC 8785 form. Numbers of entries and openings are integers.
func canonical(out *strings.Builder, value any) error {
	switch value := value.(type) {
	case nil:
		out.WriteString("null")
	case bool:
		fmt.Fprint(out, value)
	case json.Number:
		n, err := value.Int64()
		if err != nil || n > 1<<53 || n < -(1<<53) {
			return errors.New("not a small integer")
		}
		fmt.Fprint(out, n)
	case string:
		quote(out, value)
	case []any:
		out.WriteByte('[')
		for i, item := range value {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := canonical(out, item); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	case []member:
		sorted := append([]member(nil), value...)
		sort.Slice(sorted, func(a, b int) bool { return before(sorted[a].name, sorted[b].name) })
		out.WriteByte('{')
		for i, item := range sorted {
			if i > 0 {
				out.WriteByte(',')
			}
			quote(out, item.name)
			out.WriteByte(':')
			if err := canonical(out, item.value); err != nil {
				return err
			}
		}
		out.WriteByte('}')
	default:
		return errors.New("not a JSON value")
	}
	return nil
}

// before orders names by their UTF-16 code units.
func before(a, b string) bool {
	x, y := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return len(x) < len(y)
}

func quote(out *strings.Builder, text string) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`}
	out.WriteByte('"')
	for _, c := range text {
		if escaped, ok := short[c]; ok {
			out.WriteString(escaped)
		} else if c < 0x20 {
			fmt.Fprintf(out, `\u%04x`, c)
		} else {
			out.WriteRune(c)
		}
	}
	out.WriteByte('"')
}

func get(object any, name string) (any, bool) {
	members, _ := object.([]member)
	for _, m := range members {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// checkEntries checks canonical form, version, ids and a time that only grows. Gives the commitment of each, or "".
func checkEntries(entries [][]byte) ([]string, error) {
	var commitments []string
	ids, last := map[string]bool{}, ""
	for index, leaf := range entries {
		entry, err := read(leaf)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
		var form strings.Builder
		version, _ := get(entry, "v")
		if err := canonical(&form, entry); err != nil || form.String() != string(leaf) || len(leaf) >= maxLeaf || version != json.Number("1") {
			return nil, fmt.Errorf("entry %d is not a canonical entry of version 1", index)
		}
		id, _ := get(entry, "id")
		text, _ := id.(string)
		if !uuid7.MatchString(text) || ids[text] {
			return nil, fmt.Errorf("id of entry %d", index)
		}
		ids[text] = true
		time, _ := get(entry, "time")
		now, _ := time.(string)
		if !moment.MatchString(now) || now <= last {
			return nil, fmt.Errorf("time of entry %d does not come after the one before", index)
		}
		last = now
		commitment, _ := get(entry, "open_c")
		text, _ = commitment.(string)
		commitments = append(commitments, text)
	}
	return commitments, nil
}

// checkOpenings checks that each opening that still exists is the one its entry commits to.
func checkOpenings(folder string, commitments []string) error {
	data, err := os.ReadFile(filepath.Join(folder, "openings.ndjson"))
	if err != nil {
		return err
	}
	lines := strings.Split(string(data), "\n")
	if len(lines) != len(commitments)+1 || lines[len(commitments)] != "" {
		return errors.New("openings.ndjson needs one line per entry")
	}
	for index, expected := range commitments {
		line, err := read([]byte(lines[index]))
		if err != nil {
			return fmt.Errorf("line %d: %w", index, err)
		}
		number, _ := get(line, "index")
		opened, there := get(line, "opened")
		members, _ := line.([]member)
		if !there || len(members) != 2 || number != json.Number(fmt.Sprint(index)) {
			return fmt.Errorf("line %d of openings.ndjson", index)
		}
		if opened == nil {
			continue
		}
		own, err := commitment(opened)
		if err != nil {
			return fmt.Errorf("opening %d: %w", index, err)
		}
		if expected == "" || own != expected {
			return fmt.Errorf("opening %d is not what the entry commits to", index)
		}
	}
	return nil
}

func commitment(opened any) (string, error) {
	encoded, _ := get(opened, "salt")
	text, _ := encoded.(string)
	salt, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(salt) != 32 {
		return "", errors.New("not a salt")
	}
	rest := []member{}
	for _, m := range opened.([]member) {
		if m.name != "salt" {
			rest = append(rest, m)
		}
	}
	var form strings.Builder
	if err := canonical(&form, rest); err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte("tsunagi/opening/v1" + string(salt) + form.String()))
	return base64.RawURLEncoding.EncodeToString(hash[:]), nil
}
