package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	core "k8s.io/api/core/v1"
	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Writes, for each kind of `roots`, an object in which every field is set: a line of protobuf in
// base64, as a Go client sends it, and a line of its JSON. Pods are filled once.
func samples() {
	encoder := protobuf.NewSerializer(nil, nil)
	for _, root := range roots {
		t := reflect.TypeOf(root)
		value := reflect.New(t)
		filler := filler{pods: t.Name() == "Pod"}
		filler.fill(value.Elem(), 0)
		object := value.Interface().(runtime.Object)
		version, _ := schema.ParseGroupVersion(versionOf(t))
		object.GetObjectKind().SetGroupVersionKind(version.WithKind(t.Name()))
		var encoded bytes.Buffer
		if err := encoder.Encode(object, &encoded); err != nil {
			panic(err)
		}
		text, err := json.Marshal(object)
		if err != nil {
			panic(err)
		}
		fmt.Println(base64.StdEncoding.EncodeToString(encoded.Bytes()))
		fmt.Println(string(text))
	}
}

type filler struct {
	count int
	pods  bool
}

// A value for each special type; others are filled field by field.
func (f *filler) special(value reflect.Value) bool {
	f.count++
	moment := time.Unix(1767225600+int64(f.count), 123456000).UTC()
	switch to := value.Addr().Interface().(type) {
	case *meta.Time:
		to.Time = moment.Truncate(time.Second)
	case *meta.MicroTime:
		to.Time = moment
	case *resource.Quantity:
		*to = resource.MustParse(fmt.Sprintf("%dMi", f.count))
	case *intstr.IntOrString:
		*to = intstr.FromString(fmt.Sprintf("%d%%", f.count))
		if f.count%2 == 0 {
			*to = intstr.FromInt32(int32(f.count))
		}
	case *runtime.RawExtension:
		to.Raw = []byte(fmt.Sprintf(`{"raw":%d}`, f.count))
	case *meta.FieldsV1:
		to.Raw = []byte(`{"f:metadata":{}}`)
	case *extensions.JSON:
		to.Raw = []byte(fmt.Sprintf(`{"json":[%d,null]}`, f.count))
	case *extensions.JSONSchemaPropsOrArray:
		to.Schema = &extensions.JSONSchemaProps{Type: "string"}
	case *extensions.JSONSchemaPropsOrBool:
		to.Allows, to.Schema = true, &extensions.JSONSchemaProps{Type: "integer"}
	case *extensions.JSONSchemaPropsOrStringArray:
		to.Property = []string{"one", "other"}
	case *core.PodSpec:
		if !f.pods {
			to.Containers = []core.Container{{Name: "app", Image: "web:1"}}
		}
		return !f.pods
	default:
		return false
	}
	return true
}

func (f *filler) fill(value reflect.Value, depth int) {
	if depth > 24 || f.special(value) {
		return
	}
	switch value.Kind() {
	case reflect.String:
		value.SetString(fmt.Sprintf("text-%d", f.count))
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		value.SetInt(int64(f.count) - 2*int64(f.count)*int64(f.count%2))
	case reflect.Float64:
		value.SetFloat(float64(f.count) + 0.5)
	case reflect.Pointer:
		if value.Type().Elem() == reflect.TypeOf(extensions.JSONSchemaProps{}) && depth > 7 {
			return
		}
		value.Set(reflect.New(value.Type().Elem()))
		f.fill(value.Elem(), depth+1)
	case reflect.Slice:
		if value.Type().Elem().Kind() == reflect.Uint8 {
			value.SetBytes([]byte(fmt.Sprintf("bytes-%d", f.count)))
			return
		}
		if value.Type().Elem() == reflect.TypeOf(extensions.JSONSchemaProps{}) && depth > 7 {
			return
		}
		// Two elements near the top, to see that both are there.
		length := max(1, 2-depth/4)
		value.Set(reflect.MakeSlice(value.Type(), length, length))
		for i := range length {
			f.fill(value.Index(i), depth+1)
		}
	case reflect.Map:
		if value.Type().Elem() == reflect.TypeOf(extensions.JSONSchemaProps{}) && depth > 7 {
			return
		}
		value.Set(reflect.MakeMap(value.Type()))
		key, held := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
		f.fill(key, depth+1)
		f.fill(held, depth+1)
		value.SetMapIndex(key, held)
	case reflect.Struct:
		for i := range value.NumField() {
			if value.Type().Field(i).IsExported() && value.Type().Field(i).Type.Name() != "TypeMeta" {
				f.fill(value.Field(i), depth+1)
			}
		}
	}
}
