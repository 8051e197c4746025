{{- define "harness-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "harness-exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "harness-exporter.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "harness-exporter.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "harness-exporter.selector" -}}
app.kubernetes.io/name: {{ include "harness-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "harness-exporter.labels" -}}
{{ include "harness-exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "harness-exporter.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "harness-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "harness-exporter.configMap" -}}
{{- default (include "harness-exporter.fullname" .) .Values.existingConfigMap }}
{{- end }}

{{- define "harness-exporter.claim" -}}
{{- default (include "harness-exporter.fullname" .) .Values.persistence.existingClaim }}
{{- end }}

{{- /* What the exporter itself would refuse at its start. */}}
{{- define "harness-exporter.checks" -}}
{{- if and (or .Values.web.enableLifecycle .Values.web.enableTrigger) (not .Values.web.existingSecret) }}
{{- fail "web.enableLifecycle and web.enableTrigger need users: name a Secret with web.yml in web.existingSecret" }}
{{- end }}
{{- if and (eq .Values.web.probes "user") (or .Values.web.tls (not .Values.web.probeUser)) }}
{{- fail "web.probes: user needs web.probeUser, and no TLS" }}
{{- end }}
{{- if and (ne .Values.web.probes "http") (not .Values.web.existingSecret) }}
{{- fail "web.probes is for what is in web.existingSecret" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
{{- fail "ingress.enabled needs ingress.host, the name under which Harness reaches it" }}
{{- end }}
{{- end }}

{{- /* How the pod is asked, by a path: (list . "/-/healthy"). */}}
{{- define "harness-exporter.probe" -}}
{{- $web := (index . 0).Values.web -}}
{{- if eq $web.probes "tcp" -}}
tcpSocket: {port: http}
{{- else if eq $web.probes "user" -}}
exec:
  command: [/harness-exporter, health, {{ printf "--user=%s" $web.probeUser | quote }}, --password-file=/web/password]
{{- else -}}
httpGet: {path: {{ index . 1 }}, port: http{{ if $web.tls }}, scheme: HTTPS{{ end }}}
{{- end }}
{{- end }}
