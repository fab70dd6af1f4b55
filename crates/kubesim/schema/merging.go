package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"reflect"
	"slices"
	"strings"
)

// The markers in the comments of a type, of the whole (under "") and of its fields by their Go names.
type marked map[string][]string

var sources = map[string]map[string]marked{}

// How server-side apply takes a field apart, as the markers in Kubernetes' sources have it: lists
// whose elements are told apart, maps and structs that are one value, and defaults; and whether it
// is null where it is not there.
func merging(owner reflect.Type, field reflect.StructField) string {
	own := source(owner.PkgPath())[owner.Name()][field.Name]
	held := field.Type
	if held.Kind() == reflect.Pointer {
		held = held.Elem()
	}
	words := ""
	strategy, key := field.Tag.Get("patchStrategy"), field.Tag.Get("patchMergeKey")
	if held.Kind() == reflect.Slice && held.Elem().Kind() != reflect.Uint8 {
		kind := marker(own, "listType")
		keys := markers(own, "listMapKey")
		if kind == "" && strings.Contains(strategy, "merge") {
			if kind = "set"; key != "" {
				kind, keys = "map", []string{key}
			}
		}
		switch kind {
		case "map":
			words += " list=" + strings.Join(keys, ",")
		case "set":
			words += " list="
		}
	}
	inner := held
	if held.Kind() == reflect.Slice || held.Kind() == reflect.Map {
		inner = held.Elem()
	}
	atomic := marker(own, "mapType") == "atomic" || marker(own, "structType") == "atomic"
	if inner.Kind() == reflect.Struct && special[inner] == "" {
		whole := source(inner.PkgPath())[inner.Name()][""]
		atomic = atomic || marker(whole, "mapType") == "atomic" || marker(whole, "structType") == "atomic"
	}
	if atomic || held.Name() == "RawExtension" {
		words += " atomic"
	}
	// What an encoder writes as null where it is not there.
	options := strings.Split(field.Tag.Get("json"), ",")[1:]
	omitted := slices.Contains(options, "omitzero")
	switch field.Type.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		omitted = omitted || slices.Contains(options, "omitempty")
	case reflect.Struct:
		omitted = omitted || special[field.Type] != "time" && special[field.Type] != "microtime"
	default:
		omitted = true
	}
	if !omitted {
		words += " null"
	}
	if value := marker(own, "default"); strings.HasPrefix(value, `"`) {
		words += " default=" + strings.Trim(value, `"`)
	}
	return words
}

func marker(of []string, name string) string {
	if found := markers(of, name); len(found) > 0 {
		return found[0]
	}
	return ""
}

func markers(of []string, name string) []string {
	var found []string
	for _, line := range of {
		if value, ok := strings.CutPrefix(line, "+"+name+"="); ok {
			found = append(found, value)
		}
	}
	return found
}

// The markers of all types of a package.
func source(path string) map[string]marked {
	if types, ok := sources[path]; ok {
		return types
	}
	types := map[string]marked{}
	sources[path] = types
	folder, err := exec.Command("go", "list", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		panic(path + ": " + err.Error())
	}
	tests := func(file fs.FileInfo) bool { return !strings.HasSuffix(file.Name(), "_test.go") }
	parsed, err := parser.ParseDir(token.NewFileSet(), strings.TrimSpace(string(folder)), tests, parser.ParseComments)
	if err != nil {
		panic(path + ": " + err.Error())
	}
	for _, pack := range parsed {
		for _, file := range pack.Files {
			for _, declared := range file.Decls {
				if general, ok := declared.(*ast.GenDecl); ok {
					for _, spec := range general.Specs {
						if named, ok := spec.(*ast.TypeSpec); ok {
							types[named.Name.Name] = read(named, general.Doc)
						}
					}
				}
			}
		}
	}
	return types
}

func read(named *ast.TypeSpec, doc *ast.CommentGroup) marked {
	found := marked{"": lines(doc)}
	if structure, ok := named.Type.(*ast.StructType); ok {
		for _, field := range structure.Fields.List {
			for _, name := range field.Names {
				found[name.Name] = lines(field.Doc)
			}
		}
	}
	return found
}

func lines(doc *ast.CommentGroup) []string {
	var found []string
	if doc == nil {
		return nil
	}
	for _, comment := range doc.List {
		found = append(found, strings.TrimSpace(strings.TrimPrefix(comment.Text, "//")))
	}
	return found
}
