{{- define "mvm-ci.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 44 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 44 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 44 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of the object, with its component: dict "root" $ "component" "worker". */}}
{{- define "mvm-ci.labels" -}}
{{ include "mvm-ci.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "mvm-ci.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* An image: dict "root" $ "name" "worker". */}}
{{- define "mvm-ci.image" -}}
{{- $image := .root.Values.image -}}
{{- $name := index $image .name -}}
{{- if $image.registry }}{{ $name = printf "%s/%s" (trimSuffix "/" $image.registry) $name }}{{ end -}}
{{- with index $image.digests .name -}}
{{- printf "%s@%s" $name . -}}
{{- else -}}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion .root.Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "mvm-ci.operatorSecret" -}}
{{ .Values.operatorToken.existingSecret | default (printf "%s-operator" (include "mvm-ci.fullname" .)) }}
{{- end -}}

{{- define "mvm-ci.engineSecret" -}}
{{ .Values.engineToken.existingSecret | default (printf "%s-engine" (include "mvm-ci.fullname" .)) }}
{{- end -}}

{{/* The component whose processes have an engine, and so send the requests of jobs. */}}
{{- define "mvm-ci.engineComponent" -}}
{{- if eq .Values.engine "embedded" }}worker{{ else if eq .Values.engine "pool" }}engine{{ else }}control-plane{{ end -}}
{{- end -}}

{{/* The URL of the API within the cluster. */}}
{{- define "mvm-ci.url" -}}
http://{{ include "mvm-ci.fullname" . }}:3020
{{- end -}}
