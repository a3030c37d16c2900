{{- /* The template of the pods, of a StatefulSet or a Deployment. */ -}}
{{- define "zitadel-siem.pod" -}}
metadata:
  labels:
    {{- include "zitadel-siem.selectorLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A changed configuration restarts the pod. Changed tokens and keys need no restart.
    checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "zitadel-siem.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if eq .Values.mode "fluentBit" }}
  initContainers:
    # Fluent Bit ignores a misspelt option of a plugin, and starts with settings that
    # lose data. This names both, and the pod does not start.
    - name: check
      image: {{ include "zitadel-siem.image" (dict "image" .Values.image "repository" "ghcr.io/zitadel-siem/zitadel-siem" "root" .) | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [check, --fluent-bit, /etc/zitadel-siem/config/fluent-bit.yaml, --offline]
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        {{- include "zitadel-siem.volumeMounts" . | nindent 8 }}
  {{- end }}
  containers:
    {{- if eq .Values.mode "sidecar" }}
    - name: zitadel-siem
      image: {{ include "zitadel-siem.image" (dict "image" .Values.image "repository" "ghcr.io/zitadel-siem/zitadel-siem" "root" .) | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - pull
        - --config
        - /etc/zitadel-siem/config/config.yaml
        {{- if .Values.detect.enabled }}
        - --detect
        - {{ ternary "/etc/zitadel-siem/rules" "on" (not (empty .Values.detect.rulesConfigMap)) | quote }}
        - --min-level
        - {{ .Values.detect.minLevel }}
        {{- end }}
    {{- else }}
    - name: fluent-bit
      image: {{ include "zitadel-siem.image" (dict "image" .Values.fluentBitImage "repository" "ghcr.io/zitadel-siem/zitadel-siem-fluent-bit" "root" .) | quote }}
      imagePullPolicy: {{ .Values.fluentBitImage.pullPolicy }}
      command: [/fluent-bit/bin/fluent-bit]
      args: [-c, /etc/zitadel-siem/config/fluent-bit.yaml]
    {{- end }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      {{- with .Values.proxy }}
      {{- if .https }}
      env:
        - name: HTTPS_PROXY
          value: {{ .https | quote }}
        - name: NO_PROXY
          value: {{ .noProxy | quote }}
      {{- end }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ include "zitadel-siem.metricsPort" . }}
        {{- range .Values.sources }}
        {{- if .webhooks }}
        - name: {{ include "zitadel-siem.portName" . }}
          containerPort: {{ int .webhooks.port }}
        {{- end }}
        {{- end }}
      # Learning names can take half a minute, and a large state needs time to load.
      {{- $shared := include "zitadel-siem.sharedWebhooks" . }}
      {{- if $shared }}
      # It has begun when /health says so, which needs an answer of the store: an upgrade with a
      # wrong password stops at the first pod. It has an hour, because a restart brings no store.
      {{- end }}
      startupProbe:
        httpGet:
          path: {{ ternary "/health" (include "zitadel-siem.livePath" .) (not (empty $shared)) }}
          port: metrics
        periodSeconds: 5
        failureThreshold: {{ ternary 720 60 (not (empty $shared)) }}
      # This must be a path that answers 200 while ZITADEL or the receiver is away.
      # A restart brings neither back. It would only repeat work, and interrupt the
      # webhooks that the spool still takes.
      livenessProbe:
        httpGet:
          path: {{ include "zitadel-siem.livePath" . }}
          port: metrics
        periodSeconds: 20
        timeoutSeconds: 5
        failureThreshold: 6
      {{- with $shared }}
      # Not ready means: it does not listen (yet). The Service must not send webhooks to a pod
      # that starts or ends while others listen, and must send them to all while ZITADEL's API
      # or the receiver is away: /health says so, and is no condition here.
      readinessProbe:
        tcpSocket:
          port: {{ . }}
        periodSeconds: 10
        timeoutSeconds: 5
      {{- if semverCompare ">=1.30-0" $.Capabilities.KubeVersion.Version }}
      # It works on until the Service and the Ingress have stopped sending. After that it has five
      # seconds to hand over what is in the spool, which ends with the pod. (The image has no
      # program that could sleep.)
      lifecycle:
        preStop:
          sleep:
            seconds: 10
      {{- end }}
      {{- else }}
      # Not ready means: no answer of ZITADEL, or no record taken, for five minutes
      # (Fluent Bit: its outputs fail); with state.url also that the store has not answered
      # since the start, so that a rollout with a wrong password stops at the first pod.
      # The Services send requests to the pod anyway.
      readinessProbe:
        httpGet:
          path: {{ ternary "/health" "/api/v2/health" (eq .Values.mode "sidecar") }}
          port: metrics
        periodSeconds: 30
        timeoutSeconds: 5
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        {{- include "zitadel-siem.volumeMounts" . | nindent 8 }}
  volumes:
    {{- include "zitadel-siem.volumes" . | nindent 4 }}
  {{- if .Values.state.url }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "zitadel-siem.selectorLabels" $ | nindent 10 }}
      # The pods of the version before do not count.
      matchLabelKeys: [pod-template-hash]
    {{- end }}
    {{- end }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
