{{- /*
Options as text, because both programs take text: Helm reads a number as floating point
and would print 16000000 as 1.6e+07, and Fluent Bit passes only the first element of a
list on.
*/ -}}
{{- define "zitadel-siem.texts" -}}
{{- $texts := dict -}}
{{- range $name, $value := . -}}
{{- if kindIs "slice" $value -}}
{{- $_ := set $texts $name (join "," $value) -}}
{{- else if kindIs "bool" $value -}}
{{- $_ := set $texts $name (ternary "on" "off" $value) -}}
{{- else if kindIs "float64" $value -}}
{{- $_ := set $texts $name (int64 $value | toString) -}}
{{- else -}}
{{- $_ := set $texts $name (toString $value) -}}
{{- end -}}
{{- end -}}
{{- toYaml $texts -}}
{{- end -}}

{{- /* The options of one source. Called with the source and stateDir, empty if a store has the states. */ -}}
{{- define "zitadel-siem.source" -}}
{{- $dir := printf "/etc/zitadel-siem/sources/%s" .name -}}
{{- $options := dict "url" .url -}}
{{- if .stateDir -}}
{{- $_ := set $options "state_path" (printf "%s/%s.state" .stateDir .name) -}}
{{- end -}}
{{- $type := default "token" .auth.type -}}
{{- if eq $type "keyFile" -}}
{{- $_ := set $options "key_file" (printf "%s/credential" $dir) -}}
{{- else if eq $type "clientSecret" -}}
{{- $_ := set $options "client_id" .auth.clientId -}}
{{- $_ := set $options "client_secret_file" (printf "%s/credential" $dir) -}}
{{- else -}}
{{- $_ := set $options "token_file" (printf "%s/credential" $dir) -}}
{{- end -}}
{{- with .ca -}}
{{- if or .existingSecret .configMap -}}
{{- $_ := set $options "ca_file" (printf "%s/ca.crt" $dir) -}}
{{- end -}}
{{- end -}}
{{- $name := .name -}}
{{- with .webhooks -}}
{{- $_ := set $options "webhook_listen" (printf "0.0.0.0:%d" (int .port)) -}}
{{- if not $.stateDir -}}
{{- $_ := set $options "spool_path" (printf "/var/lib/zitadel-siem/%s.spool" $name) -}}
{{- end -}}
{{- if .keysSecret -}}
{{- $_ := set $options "webhook_keys_dir" (printf "/etc/zitadel-siem/targets/%s" $name) -}}
{{- end -}}
{{- if .scriptsSecret -}}
{{- $_ := set $options "webhook_v1_dir" (printf "/etc/zitadel-siem/scripts/%s" $name) -}}
{{- end -}}
{{- if .tlsSecret -}}
{{- $_ := set $options "webhook_cert_file" (printf "%s/webhook.crt" $dir) -}}
{{- $_ := set $options "webhook_cert_key_file" (printf "%s/webhook.key" $dir) -}}
{{- else -}}
{{- $_ := set $options "webhook_plain" "on" -}}
{{- end -}}
{{- end -}}
{{- toYaml (merge $options (default dict .options)) -}}
{{- end -}}

{{- /* The URL of the store, with the files of the secrets. Called with the values of state. */ -}}
{{- define "zitadel-siem.stateURL" -}}
{{- $names := ternary (list "ca_file" "cert_file" "key_file") (list "sslrootcert" "sslcert" "sslkey") (hasPrefix "etcd:" .url) -}}
{{- $files := list -}}
{{- if .password.existingSecret -}}
{{- $files = append $files "password_file=/etc/zitadel-siem/store/password" -}}
{{- end -}}
{{- if or .ca.existingSecret .ca.configMap -}}
{{- $files = append $files (printf "%s=/etc/zitadel-siem/store/ca.crt" (index $names 0)) -}}
{{- end -}}
{{- if .clientCert.existingSecret -}}
{{- $files = append $files (printf "%s=/etc/zitadel-siem/store/tls.crt" (index $names 1)) -}}
{{- $files = append $files (printf "%s=/etc/zitadel-siem/store/tls.key" (index $names 2)) -}}
{{- end -}}
{{- .url -}}
{{- if $files -}}
{{- ternary "&" "?" (contains "?" .url) -}}{{- join "&" $files -}}
{{- end -}}
{{- end -}}

{{- /* The file of `zitadel-siem pull --config`. */ -}}
{{- define "zitadel-siem.sidecarConfig" -}}
{{- $defaults := deepCopy .Values.defaults -}}
{{- if .Values.destination.forward -}}
{{- $_ := set $defaults "forward" .Values.destination.forward -}}
{{- $_ := set $defaults "tag" .Values.destination.tag -}}
{{- if .Values.destination.sharedKey.existingSecret -}}
{{- $_ := set $defaults "shared_key_file" "/etc/zitadel-siem/destination/shared-key" -}}
{{- end -}}
{{- if .Values.destination.clientCert.existingSecret -}}
{{- $_ := set $defaults "cert_file" "/etc/zitadel-siem/destination/tls.crt" -}}
{{- $_ := set $defaults "cert_key_file" "/etc/zitadel-siem/destination/tls.key" -}}
{{- end -}}
{{- end -}}
# Open to the pod's network for Prometheus and the probes. The status page at / answers
# only inside the pod: kubectl port-forward.
metrics_listen: 0.0.0.0:{{ include "zitadel-siem.metricsPort" . }}
{{- with .Values.state }}
{{- if .url }}
state: {{ include "zitadel-siem.stateURL" . | quote }}
{{- with .lease }}
state_lease: {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- with $defaults }}
defaults:
  {{- include "zitadel-siem.texts" . | nindent 2 }}
{{- end }}
{{- $stateDir := ternary "" "/var/lib/zitadel-siem" (not (empty .Values.state.url)) }}
{{- $sources := list }}
{{- range .Values.sources }}
{{- $sources = append $sources (include "zitadel-siem.texts" (include "zitadel-siem.source" (merge (dict "stateDir" $stateDir) .) | fromYaml) | fromYaml) }}
{{- end }}
sources:
  {{- toYaml $sources | nindent 2 }}
{{- end -}}

{{- /* Fluent Bit's configuration. */ -}}
{{- define "zitadel-siem.fluentBitConfig" -}}
{{- with .Values.fluentBit.secrets -}}
# Read from files by Fluent Bit.
env:
{{- range . }}
  - name: {{ .name }}
    uri: file:///etc/zitadel-siem/secrets/{{ .name }}
{{- end }}
{{ end }}
{{- $service := dict "flush" 1 "grace" 10 "log_level" .Values.fluentBit.logLevel
  "storage.path" "/var/lib/zitadel-siem/storage" "storage.sync" "normal" "scheduler.cap" 60
  "http_server" "on" "http_listen" "0.0.0.0" "http_port" (include "zitadel-siem.metricsPort" .) "health_check" "on" -}}
# KEEP: chunks are in storage.path until an output has delivered them. scheduler.cap is
# the longest pause between two retries, in seconds; Fluent Bit's default is half an hour.
service:
  {{- include "zitadel-siem.texts" (mergeOverwrite $service (deepCopy .Values.fluentBit.service)) | nindent 2 }}

plugins:
  - /usr/lib/zitadel-siem/in_zitadel.so

pipeline:
  inputs:
{{- range .Values.sources }}
    - name: zitadel
      tag: zitadel.events
      # KEEP: with these two, Fluent Bit tells the plugin which events it has stored.
      threaded: "off"
      storage.type: filesystem
      {{- include "zitadel-siem.texts" (merge (include "zitadel-siem.source" (merge (dict "stateDir" "/var/lib/zitadel-siem") .) | fromYaml) $.Values.defaults) | nindent 6 }}
{{- end }}
{{- with .Values.fluentBit.filters }}

  filters:
    {{- toYaml . | nindent 4 }}
{{- end }}

{{- $outputs := list }}
{{- range .Values.fluentBit.outputs }}
{{- $outputs = append $outputs (include "zitadel-siem.output" . | fromYaml) }}
{{- end }}

  # KEEP retry_limit: by default Fluent Bit drops a chunk after one retry.
  outputs:
    {{- toYaml $outputs | nindent 4 }}
{{- end -}}

{{- /* An output, with whole numbers as such, and without a limit of retries. */ -}}
{{- define "zitadel-siem.output" -}}
{{- $output := dict "retry_limit" "no_limits" -}}
{{- range $name, $value := . -}}
{{- if and (kindIs "float64" $value) (eq (floor $value) $value) -}}
{{- $_ := set $output $name (int64 $value) -}}
{{- else -}}
{{- $_ := set $output $name $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $output -}}
{{- end -}}
