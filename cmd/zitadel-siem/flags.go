package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// newOptionFlags makes one flag for each option of a table, so that the
// command line cannot know other ones. An unset flag is a nil *string.
func newOptionFlags[S any](table config.Table[S]) kong.Plugins {
	var fields []reflect.StructField
	for _, o := range table.Options {
		if o.Secret {
			fields = append(fields, reflect.StructField{
				Name: fieldName(o),
				Type: reflect.TypeFor[forbiddenFlag](),
				Tag:  reflect.StructTag(fmt.Sprintf(`name:%q hidden:""`, o.Flag())),
			})
			continue
		}
		group := cmp.Or(o.Group, table.Title)
		if o.Advanced {
			group = "Rarely changed"
		}
		fields = append(fields, reflect.StructField{
			Name: fieldName(o),
			Type: reflect.TypeFor[*string](),
			// kong replaces ${...} in these; no text of ours has any.
			Tag: reflect.StructTag(fmt.Sprintf(`name:%q help:%q placeholder:"VALUE" group:%q`,
				o.Flag(), strings.ReplaceAll(o.Help(), "$", "$$"), group)),
		})
	}
	return kong.Plugins{reflect.New(reflect.StructOf(fields)).Interface()}
}

func fieldName(o config.Option) string {
	return "Option_" + o.Name
}

// optionValues joins the flags with the environment; a flag wins over the
// variable of the same option.
func optionValues[S any](table config.Table[S], flags kong.Plugins) map[string]string {
	values := table.FromEnv(os.Getenv)
	maps.Copy(values, flagValues(table, flags))
	return values
}

func flagValues[S any](table config.Table[S], flags kong.Plugins) map[string]string {
	values := map[string]string{}
	v := reflect.ValueOf(flags[0]).Elem()
	for _, o := range table.Options {
		if s, ok := v.FieldByName(fieldName(o)).Interface().(*string); ok && s != nil {
			values[o.Name] = *s
		}
	}
	return values
}

// settingsOf reads flags and environment; warnings go to the console.
func settingsOf[S any](table config.Table[S], flags kong.Plugins, console *terminal.Console) (S, error) {
	return parseValues(table, optionValues(table, flags), console, config.ParseOptions{})
}

func parseValues[S any](table config.Table[S], values map[string]string, console *terminal.Console, opts config.ParseOptions) (S, error) {
	settings, warnings, err := table.ParseMap(values, opts)
	for _, w := range warnings {
		console.Warn(w)
	}
	if err != nil {
		return settings, fmt.Errorf("%w%w", err, silent{errUsage})
	}
	return settings, nil
}

// silent is an error for errors.Is that adds no text.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }

// forbiddenFlag is a flag that would put a secret into the process list.
type forbiddenFlag string

// Decode takes the value out of the command line, so that no message repeats
// it, and refuses it.
func (*forbiddenFlag) Decode(ctx *kong.DecodeContext) error {
	ctx.Scan.Pop()
	option := config.Option{Name: strings.ReplaceAll(ctx.Value.Name, "-", "_")}
	return fmt.Errorf("every user of this machine can see it in the process list; put it into the environment variable %s "+
		"or into a file named by --%s-file. Treat the %s that you just gave as known to others",
		option.Env(), option.Flag(), strings.ReplaceAll(option.Name, "_", " "))
}
