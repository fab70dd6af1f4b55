package main

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"

	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	certificates "k8s.io/api/certificates/v1"
	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Types whose message is not what their fields say.
var specialMessages = map[reflect.Type]string{
	reflect.TypeOf(meta.Time{}):                               "time",
	reflect.TypeOf(meta.MicroTime{}):                          "microtime",
	reflect.TypeOf(resource.Quantity{}):                       "quantity",
	reflect.TypeOf(intstr.IntOrString{}):                      "int-or-string",
	reflect.TypeOf(runtime.RawExtension{}):                    "json",
	reflect.TypeOf(meta.FieldsV1{}):                           "json",
	reflect.TypeOf(extensions.JSON{}):                         "json",
	reflect.TypeOf(extensions.JSONSchemaPropsOrArray{}):       "schema-or-schemas",
	reflect.TypeOf(extensions.JSONSchemaPropsOrBool{}):        "schema-or-bool",
	reflect.TypeOf(extensions.JSONSchemaPropsOrStringArray{}): "schema-or-strings",
	reflect.TypeOf(authentication.ExtraValue{}):               "strings",
	reflect.TypeOf(authorization.ExtraValue{}):                "strings",
	reflect.TypeOf(certificates.ExtraValue{}):                 "strings",
}

// Writes, for each kind of `roots`, `= VERSION KIND MESSAGE`, where VERSION is `group/version`;
// then, for each message, its name and its fields: number, name in JSON, shape, and whether zero is
// left out. A field named `.` has the fields of its message beside it in JSON.
func messages() {
	special = specialMessages
	fmt.Println("# Made by messages.go of the Go types of Kubernetes v1.36.3: the protobuf of built-in types.")
	for _, root := range roots {
		t := reflect.TypeOf(root)
		fmt.Printf("= %s %s %s\n", versionOf(t), t.Name(), named(t))
	}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		fmt.Println(names[next])
		lines := messageFields(next)
		sort.Slice(lines, func(a, b int) bool { return lines[a].number < lines[b].number })
		for _, line := range lines {
			fmt.Printf("  %d %s\n", line.number, line.text)
		}
	}
}

type numbered struct {
	number int
	text   string
}

func messageFields(t reflect.Type) []numbered {
	var lines []numbered
	for i := range t.NumField() {
		field := t.Field(i)
		tag := strings.Split(field.Tag.Get("protobuf"), ",")
		if len(tag) < 2 {
			continue
		}
		number, err := strconv.Atoi(tag[1])
		if err != nil {
			panic(t.String() + "." + field.Name)
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			name = "."
		}
		text := name + " " + shape(field.Type)
		if strings.Contains(options, "omitempty") && field.Type.Kind() != reflect.Pointer {
			text += " nonzero"
		}
		lines = append(lines, numbered{number, text})
	}
	return lines
}

// The `group/version` of a type: groups without a dot in their package have a suffix of their own.
func versionOf(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	group, version := parts[len(parts)-2], parts[len(parts)-1]
	switch group {
	case "core", "meta":
		return version
	case "apps", "policy", "batch", "autoscaling":
	case "rbac":
		group = "rbac.authorization.k8s.io"
	case "flowcontrol":
		group = "flowcontrol.apiserver.k8s.io"
	case "apiregistration":
		group = "apiregistration.k8s.io"
	default:
		group += ".k8s.io"
	}
	return group + "/" + version
}
