{{- define "zitadel-siem.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "zitadel-siem.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "zitadel-siem.selectorLabels" -}}
app.kubernetes.io/name: {{ include "zitadel-siem.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "zitadel-siem.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "zitadel-siem.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "zitadel-siem.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "zitadel-siem.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* image is called with a dict: image (the values), repository (the default), root. */ -}}
{{- define "zitadel-siem.image" -}}
{{- $repository := default .repository .image.repository -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "zitadel-siem.metricsPort" -}}
{{- int .Values.metrics.port -}}
{{- end -}}

{{- /* Port names have 15 characters at most, so they cannot have the source's name. */ -}}
{{- define "zitadel-siem.portName" -}}
webhook-{{ int .webhooks.port }}
{{- end -}}

{{- /* The name of the first port for webhooks if several pods receive them, and nothing if not. */ -}}
{{- define "zitadel-siem.sharedWebhooks" -}}
{{- $names := list -}}
{{- if .Values.state.url -}}
{{- range .Values.sources }}{{ if .webhooks }}{{ $names = append $names (include "zitadel-siem.portName" . | trim) }}{{ end }}{{ end -}}
{{- end -}}
{{- with $names }}{{ first . }}{{ end -}}
{{- end -}}

{{- /* Where the process answers whatever ZITADEL and the receiver do. */ -}}
{{- define "zitadel-siem.livePath" -}}
{{- ternary "/live" "/" (eq .Values.mode "sidecar") -}}
{{- end -}}

{{- define "zitadel-siem.portOfURL" -}}
{{- $url := urlParse . -}}
{{- if regexMatch ":[0-9]+$" $url.host -}}
{{- regexFind "[0-9]+$" $url.host -}}
{{- else -}}
{{- ternary "80" "443" (eq $url.scheme "http") -}}
{{- end -}}
{{- end -}}

{{- /* The ports of the hosts of a store's URL, with a space between. */ -}}
{{- define "zitadel-siem.portsOfStore" -}}
{{- $hosts := regexReplaceAll "^.*@" (regexReplaceAll "[/?].*$" (regexReplaceAll "^[a-z]+://" . "") "") "" -}}
{{- $ports := list -}}
{{- range splitList "," $hosts -}}
{{- $ports = append $ports (default (ternary "2379" "5432" (hasPrefix "etcd:" $)) (trimPrefix ":" (regexFind ":[0-9]+$" .))) -}}
{{- end -}}
{{- join " " $ports -}}
{{- end -}}
