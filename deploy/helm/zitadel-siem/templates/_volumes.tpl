{{- /*
Volumes and their mounts. Secrets are files: a process cannot hide its environment from
its children, from crash reports and from `kubectl describe`. The kubelet adds read
permission for the group fsGroup, so their mode becomes 0440.
*/ -}}
{{- define "zitadel-siem.volumes" -}}
- name: config
  configMap:
    name: {{ include "zitadel-siem.fullname" . }}
{{- if .Values.persistence.existingClaim }}
- name: state
  persistentVolumeClaim:
    claimName: {{ .Values.persistence.existingClaim }}
{{- else if include "zitadel-siem.sharedWebhooks" . }}
- name: spool
  emptyDir:
    sizeLimit: {{ include "zitadel-siem.spoolLimit" . }}
{{- end }}
{{- range .Values.sources }}
- name: source-{{ .name }}
  projected:
    defaultMode: 0400
    sources:
      - secret:
          name: {{ .auth.existingSecret }}
          items:
            - key: {{ default "token" .auth.key }}
              path: credential
      {{- with .ca }}
      {{- if .existingSecret }}
      - secret:
          name: {{ .existingSecret }}
          items:
            - key: {{ default "ca.crt" .key }}
              path: ca.crt
      {{- else if .configMap }}
      - configMap:
          name: {{ .configMap }}
          items:
            - key: {{ default "ca.crt" .key }}
              path: ca.crt
      {{- end }}
      {{- end }}
      {{- with .webhooks }}
      {{- if .tlsSecret }}
      - secret:
          name: {{ .tlsSecret }}
          items:
            - key: tls.crt
              path: webhook.crt
            - key: tls.key
              path: webhook.key
      {{- end }}
      {{- end }}
{{- with .webhooks }}
{{- if .keysSecret }}
- name: targets-{{ int .port }}
  secret:
    secretName: {{ .keysSecret }}
    defaultMode: 0400
{{- end }}
{{- if .scriptsSecret }}
- name: scripts-{{ int .port }}
  secret:
    secretName: {{ .scriptsSecret }}
    defaultMode: 0400
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq .Values.mode "sidecar") (or .Values.destination.sharedKey.existingSecret .Values.destination.clientCert.existingSecret) }}
- name: destination
  projected:
    defaultMode: 0400
    sources:
      {{- with .Values.destination.sharedKey }}
      {{- if .existingSecret }}
      - secret:
          name: {{ .existingSecret }}
          items:
            - key: {{ .key }}
              path: shared-key
      {{- end }}
      {{- end }}
      {{- with .Values.destination.clientCert.existingSecret }}
      - secret:
          name: {{ . }}
          items:
            - key: tls.crt
              path: tls.crt
            - key: tls.key
              path: tls.key
      {{- end }}
{{- end }}
{{- if include "zitadel-siem.stateFiles" . }}
{{- with .Values.state }}
- name: store
  projected:
    defaultMode: 0400
    sources:
      {{- with .password }}
      {{- if .existingSecret }}
      - secret:
          name: {{ .existingSecret }}
          items:
            - key: {{ .key }}
              path: password
      {{- end }}
      {{- end }}
      {{- with .ca }}
      {{- if .existingSecret }}
      - secret:
          name: {{ .existingSecret }}
          items:
            - key: {{ .key }}
              path: ca.crt
      {{- else if .configMap }}
      - configMap:
          name: {{ .configMap }}
          items:
            - key: {{ .key }}
              path: ca.crt
      {{- end }}
      {{- end }}
      {{- with .clientCert.existingSecret }}
      - secret:
          name: {{ . }}
          items:
            - key: tls.crt
              path: tls.crt
            - key: tls.key
              path: tls.key
      {{- end }}
{{- end }}
{{- end }}
{{- if and (eq .Values.mode "fluentBit") .Values.fluentBit.secrets }}
- name: secrets
  projected:
    defaultMode: 0400
    sources:
      {{- range .Values.fluentBit.secrets }}
      - secret:
          name: {{ .existingSecret }}
          items:
            - key: {{ .key }}
              path: {{ .name }}
      {{- end }}
{{- end }}
{{- range .Values.files }}
- name: files-{{ .name }}
  {{- if .secret }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0400
  {{- else }}
  configMap:
    name: {{ .configMap }}
  {{- end }}
{{- end }}
{{- with .Values.detect.rulesConfigMap }}
- name: rules
  configMap:
    name: {{ . }}
{{- end }}
{{- end -}}

{{- define "zitadel-siem.volumeMounts" -}}
- name: config
  mountPath: /etc/zitadel-siem/config
  readOnly: true
{{- if not .Values.state.url }}
- name: state
  mountPath: /var/lib/zitadel-siem
{{- else if include "zitadel-siem.sharedWebhooks" . }}
- name: spool
  mountPath: /var/lib/zitadel-siem
{{- end }}
{{- range .Values.sources }}
- name: source-{{ .name }}
  mountPath: /etc/zitadel-siem/sources/{{ .name }}
  readOnly: true
{{- $name := .name }}
{{- with .webhooks }}
{{- if .keysSecret }}
- name: targets-{{ int .port }}
  mountPath: /etc/zitadel-siem/targets/{{ $name }}
  readOnly: true
{{- end }}
{{- if .scriptsSecret }}
- name: scripts-{{ int .port }}
  mountPath: /etc/zitadel-siem/scripts/{{ $name }}
  readOnly: true
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq .Values.mode "sidecar") (or .Values.destination.sharedKey.existingSecret .Values.destination.clientCert.existingSecret) }}
- name: destination
  mountPath: /etc/zitadel-siem/destination
  readOnly: true
{{- end }}
{{- if include "zitadel-siem.stateFiles" . }}
- name: store
  mountPath: /etc/zitadel-siem/store
  readOnly: true
{{- end }}
{{- if and (eq .Values.mode "fluentBit") .Values.fluentBit.secrets }}
- name: secrets
  mountPath: /etc/zitadel-siem/secrets
  readOnly: true
{{- end }}
{{- range .Values.files }}
- name: files-{{ .name }}
  mountPath: /etc/zitadel-siem/files/{{ .name }}
  readOnly: true
{{- end }}
{{- if .Values.detect.rulesConfigMap }}
- name: rules
  mountPath: /etc/zitadel-siem/rules
  readOnly: true
{{- end }}
{{- end -}}

{{- /*
The size of all spools. The kubelet evicts a pod that exceeds it, so each source has 64Mi more
than its spool_size: a spool keeps damaged segments (four of 8 MiB) beside what it counts.
*/ -}}
{{- define "zitadel-siem.spoolLimit" -}}
{{- $scales := dict "K" 1e3 "M" 1e6 "G" 1e9 -}}
{{- $limit := 0 -}}
{{- range .Values.sources -}}
{{- if .webhooks -}}
{{- $options := include "zitadel-siem.texts" (merge dict (default dict .options) $.Values.defaults) | fromYaml -}}
{{- $size := default "256M" $options.spool_size | upper -}}
{{- $bytes := mulf (regexFind "^[0-9.]+" $size) (default 1.0 (get $scales (regexFind "[KMG]" $size))) -}}
{{- $limit = add $limit 64 (divf $bytes 1048576 | ceil) -}}
{{- end -}}
{{- end -}}
{{- $limit }}Mi
{{- end -}}

{{- /* Whether the store needs files. */ -}}
{{- define "zitadel-siem.stateFiles" -}}
{{- with .Values.state }}{{ or .password.existingSecret .ca.existingSecret .ca.configMap .clientCert.existingSecret }}{{ end -}}
{{- end -}}
