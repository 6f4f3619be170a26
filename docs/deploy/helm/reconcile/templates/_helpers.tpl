{{/* The name of every object. */}}
{{- define "reconcile.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The labels that select the pods. */}}
{{- define "reconcile.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The operator's configuration: what the chart knows, and over it what the values say. */}}
{{- define "reconcile.configuration" -}}
{{- $name := include "reconcile.fullname" . -}}
{{- $known := dict
  "apiVersion" "reconcile/v1alpha1"
  "kind" "Config"
  "git" (dict "cacheDir" "/var/lib/reconcile/git")
  "serve" (dict "address" "0.0.0.0:9640" "hosts" (list (printf "%s.%s.svc" $name .Release.Namespace)))
-}}
{{- if .Values.files.allowed_signers -}}
{{- $_ := set $known "approval" (dict "allowedSigners" "/etc/reconcile/allowed_signers") -}}
{{- end -}}
{{- if not .Values.configuration.ledger -}}
{{- $_ := set $known "ledger" (dict "kubernetes" (pick .Values.ledger "namespace" "name")) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $known (deepCopy .Values.configuration)) -}}
{{- end -}}

{{/* Where the ledger is in the API of Kubernetes; empty: it is elsewhere. */}}
{{- define "reconcile.ledger" -}}
{{- if not .Values.configuration.ledger -}}
{{- toYaml (pick .Values.ledger "namespace" "name") -}}
{{- else if .Values.configuration.ledger.kubernetes -}}
{{- toYaml .Values.configuration.ledger.kubernetes -}}
{{- end -}}
{{- end -}}
