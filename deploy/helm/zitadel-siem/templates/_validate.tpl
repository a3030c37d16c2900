{{- /* What values.schema.json cannot say. Each message names the value and the fix. */ -}}
{{- define "zitadel-siem.validate" -}}
{{- if .Values.state.url -}}
{{- include "zitadel-siem.validateState" . -}}
{{- else if ne (int .Values.replicas) 1 -}}
{{- fail "replicas: must be 1 without a store. Each source has one reader with one state file; a second one would be refused by its lock, or read everything twice. For more pods, name a PostgreSQL or etcd in state.url (mode sidecar): docs/cluster.md" -}}
{{- else if or .Values.state.lease (include "zitadel-siem.stateFiles" .) -}}
{{- fail "state: has no effect without state.url. Name the store, for example postgres://siem@db.example.com/siem" -}}
{{- end -}}
{{- if not .Values.sources -}}
{{- fail "sources: is empty. Name at least one ZITADEL, for example --set 'sources[0].name=prod,sources[0].url=https://zitadel.example.com,sources[0].auth.existingSecret=zitadel-siem-token'. The secret has the personal access token of a service user with the role IAM_OWNER_VIEWER: kubectl create secret generic zitadel-siem-token --from-file=token" -}}
{{- end -}}
{{- $names := dict -}}
{{- $ports := dict (include "zitadel-siem.metricsPort" .) "metrics.port" -}}
{{- range $i, $source := .Values.sources -}}
{{- $at := printf "sources[%d]" $i -}}
{{- if hasKey $names $source.name -}}
{{- fail (printf "%s.name: %q is the name of two sources. Each needs its own, because it names the state" $at $source.name) -}}
{{- end -}}
{{- $_ := set $names $source.name true -}}
{{- if and (eq (default "token" $source.auth.type) "clientSecret") (not $source.auth.clientId) -}}
{{- fail (printf "%s.auth.clientId: is required with type clientSecret" $at) -}}
{{- end -}}
{{- with $source.webhooks -}}
{{- $port := int .port | toString -}}
{{- if hasKey $ports $port -}}
{{- fail (printf "%s.webhooks.port: %s is also used by %s. Each needs its own" $at $port (get $ports $port)) -}}
{{- end -}}
{{- $_ := set $ports $port (printf "%s.webhooks" $at) -}}
{{- if and $.Values.ingress.enabled (not .host) -}}
{{- fail (printf "%s.webhooks.host: is required with ingress.enabled; it is the host in the URL of the target" $at) -}}
{{- end -}}
{{- end -}}
{{- include "zitadel-siem.validateOptions" (dict "at" (printf "%s.options" $at) "options" $source.options) -}}
{{- end -}}
{{- include "zitadel-siem.validateOptions" (dict "at" "defaults" "options" .Values.defaults) -}}
{{- if and .Values.ingress.enabled (eq (len $ports) 1) -}}
{{- fail "ingress.enabled: no source has webhooks, so there is nothing to lead to" -}}
{{- end -}}
{{- if eq .Values.mode "sidecar" -}}
{{- include "zitadel-siem.validateSidecar" . -}}
{{- else -}}
{{- include "zitadel-siem.validateFluentBit" . -}}
{{- end -}}
{{- end -}}

{{- define "zitadel-siem.validateState" -}}
{{- if ne .Values.mode "sidecar" -}}
{{- fail "state.url: needs mode sidecar. Fluent Bit keeps its chunks and the states on its volume" -}}
{{- end -}}
{{- if regexMatch "://[^/@]*:[^/@]*@|[?&]password=" .Values.state.url -}}
{{- fail "state.url: has a password, and a ConfigMap is no place for a secret. Use state.password.existingSecret" -}}
{{- end -}}
{{- if .Values.persistence.existingClaim -}}
{{- fail "persistence.existingClaim: has no effect with state.url: the store has the states. Remove it; docs/kubernetes.md says how the states get into the store" -}}
{{- end -}}
{{- end -}}

{{- define "zitadel-siem.validateSidecar" -}}
{{- if and .Values.destination.forward .Values.destination.stdout -}}
{{- fail "destination: forward and stdout contradict each other: use one" -}}
{{- end -}}
{{- if not (or .Values.destination.forward .Values.destination.stdout) -}}
{{- fail "destination.forward: is empty. Name the `forward` input of a Fluent Bit or Fluentd, for example --set destination.forward=tls://fluent-bit.logging.svc:24224. To look at the records in the pod's log first, use --set destination.stdout=true. To send to a SIEM without a Fluent Bit of your own, use --set mode=fluentBit and fluentBit.outputs" -}}
{{- end -}}
{{- if .Values.fluentBit.outputs -}}
{{- fail "fluentBit.outputs: has no effect in mode sidecar. Set mode: fluentBit, or remove it" -}}
{{- end -}}
{{- end -}}

{{- define "zitadel-siem.validateFluentBit" -}}
{{- if or .Values.destination.forward .Values.destination.stdout -}}
{{- fail "destination: has no effect in mode fluentBit. Use fluentBit.outputs" -}}
{{- end -}}
{{- if .Values.detect.enabled -}}
{{- fail "detect.enabled: has no effect in mode fluentBit. Use mode: sidecar" -}}
{{- end -}}
{{- if not .Values.fluentBit.outputs -}}
{{- fail "fluentBit.outputs: is empty: Fluent Bit drops records that no output takes. conf/ of the repository has an output for each destination" -}}
{{- end -}}
{{- range $name := list "storage.path" "http_server" "http_listen" "http_port" "health_check" "hot_reload" -}}
{{- if hasKey $.Values.fluentBit.service $name -}}
{{- fail (printf "fluentBit.service.%s: is set by the chart, for the volume and the probes" $name) -}}
{{- end -}}
{{- end -}}
{{- range $i, $output := .Values.fluentBit.outputs -}}
{{- $limit := toString (default "no_limits" $output.retry_limit) -}}
{{- if not (has $limit (list "no_limits" "False" "false")) -}}
{{- fail (printf "fluentBit.outputs[%d].retry_limit: %s makes Fluent Bit drop a chunk after that many retries. Remove it: the chart sets no_limits" $i $limit) -}}
{{- end -}}
{{- if hasKey $output "storage.total_limit_size" -}}
{{- fail (printf "fluentBit.outputs[%d].storage.total_limit_size: makes Fluent Bit drop the oldest chunks. Remove it, and watch the volume" $i) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What belongs to another value of the chart, by the option's name. */ -}}
{{- define "zitadel-siem.validateOptions" -}}
{{- $owned := dict
  "url" "sources[].url" "token" "sources[].auth: a ConfigMap is no place for a secret" "token_file" "sources[].auth" "key_file" "sources[].auth"
  "client_id" "sources[].auth" "client_secret_file" "sources[].auth" "ca_file" "sources[].ca"
  "state_path" "the chart, which puts it on the volume" "spool_path" "the chart, which puts it on the volume"
  "webhook_listen" "sources[].webhooks" "webhook_keys_dir" "sources[].webhooks" "webhook_v1_dir" "sources[].webhooks"
  "webhook_cert_file" "sources[].webhooks" "webhook_cert_key_file" "sources[].webhooks" "webhook_plain" "sources[].webhooks"
  "forward" "destination" "tag" "destination" "shared_key" "destination: a ConfigMap is no place for a secret" "shared_key_file" "destination"
  "cert_file" "destination" "cert_key_file" "destination" "metrics_listen" "metrics" "state" "state" "state_lease" "state" -}}
{{- $at := .at -}}
{{- range $name, $_ := .options -}}
{{- if hasKey $owned $name -}}
{{- fail (printf "%s.%s: is set by %s" $at $name (get $owned $name)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
