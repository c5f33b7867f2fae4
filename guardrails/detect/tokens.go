package detect

import "slices"

// token is a rule for secrets that their own first bytes give away. The pattern must begin with literal bytes (or few
// alternatives of them): these become anchors. What is near a token decides nothing.
type token struct {
	name    string
	pattern string
	// back says how many bytes before the anchor the token begins, for the few whose anchor stands inside and is given
	// apart; -1 means as many as are digits.
	back   int
	anchor string
	// floor is the least entropy, in tenths of bits a byte; 0 asks for none.
	floor uint8
	// open lets the token begin inside a word.
	open bool
}

func builtInTokens() []token {
	return slices.Concat(cloudTokens(), codeTokens(), modelTokens(), businessTokens(), serviceTokens())
}

// cloudTokens are those of the large clouds.
func cloudTokens() []token {
	return []token{
		{name: "aws-access-key", pattern: `(?:AKIA|ASIA|ABIA|ACCA|A3TX)[0-9A-Z]{16}\b`},
		{name: "aws-bedrock-key", pattern: `ABSK[0-9A-Za-z+/]{100,}={0,2}`, floor: 30},
		{name: "aws-bedrock-session-key", pattern: `bedrock-api-key-[0-9A-Za-z+/]{20,}={0,2}`},
		{name: "aws-mws-token", pattern: `amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`},
		{name: "aws-appsync-key", pattern: `da2-[0-9a-z]{26}\b`},
		{name: "gcp-api-key", pattern: `AIza[0-9A-Za-z_-]{35}`, floor: 30},
		{name: "gcp-oauth-secret", pattern: `GOCSPX-[0-9A-Za-z_-]{28}`},
		{name: "gcp-access-token", pattern: `ya29\.[0-9A-Za-z_-]{20,}`, floor: 30},
		{name: "gcp-gemini-key", pattern: `AQ\.Ab8[0-9A-Za-z_-]{40,}`},
		{name: "gcp-refresh-token", pattern: `1//0[0-9A-Za-z_-]{40,}`, floor: 40},
		{name: "azure-client-secret", pattern: `[0-9A-Za-z_~.]{3}[0-9]Q~[0-9A-Za-z_~.-]{31,34}`, back: 4, anchor: "Q~", floor: 30},
		{name: "azure-devops-token", pattern: `[0-9A-Za-z]{76}AZDO[0-9A-Za-z]{4}`, back: 76, anchor: "AZDO"},
		{name: "alibaba-access-key", pattern: `LTAI[0-9A-Za-z]{17,24}\b`, floor: 20},
		{name: "tencent-secret-id", pattern: `AKID[0-9A-Za-z]{32}\b`, floor: 30},
		{name: "yandex-iam-token", pattern: `t1\.[0-9A-Za-z_-]+={0,2}\.[0-9A-Za-z_-]{86}={0,2}`},
		{name: "yandex-api-key", pattern: `AQVN[0-9A-Za-z_-]{35,38}\b`},
		{name: "digitalocean-token", pattern: `(?:dop|doo|dor)_v1_[0-9a-f]{64}`},
		{name: "fly-token", pattern: `fo1_[0-9A-Za-z_-]{43}\b|fm[12][ar]?_[0-9A-Za-z+/]{100,}={0,3}|fm1[ar]_[0-9A-Za-z+/=]{40,}`},
		{name: "heroku-key", pattern: `HRKU-[0-9A-Za-z_-]{36,}`},
		{name: "ibm-cloud-key", pattern: `ApiKey-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`},
		{name: "scaleway-key", pattern: `SCW[0-9A-Z]{17}\b`, floor: 25},
		{name: "exoscale-key", pattern: `EXO[0-9a-f]{24}\b`},
		{name: "upcloud-token", pattern: `ucat_[0-9A-Z]{26}`},
		{name: "infomaniak-token", pattern: `ik_[0-9A-Za-z_-]{40,}`, floor: 35},
	}
}

// codeTokens are those of code hosts, package registries, build services and deployment.
func codeTokens() []token {
	return []token{
		{name: "hopgate-key", pattern: `hga_[0-9A-Za-z]{49}\b`},
		{name: "github-token", pattern: `gh[pousr]_[0-9A-Za-z]{36,}`, floor: 25},
		{name: "github-fine-grained-token", pattern: `github_pat_[0-9A-Za-z_]{70,}`, floor: 30},
		{name: "gitlab-token", pattern: `(?:glpat|gldt|glft|glsoat|glimt|glagent|glrt|glrtr|glcbt|gloas|glffct|glptt|glwt)-[0-9A-Za-z_=.-]{20,}`, floor: 25},
		{name: "gitlab-runner-token", pattern: `GR1348941[0-9A-Za-z_-]{20}`},
		{name: "gitlab-session", pattern: `_gitlab_session=[0-9a-z]{32}`},
		{name: "gitea-token", pattern: `gta_[0-9A-Za-z]{40}\b`},
		{name: "bitbucket-token", pattern: `(?:ATBB|ATCTT3xFfG)[0-9A-Za-z_=-]{20,}`, floor: 30},
		{name: "atlassian-token", pattern: `AT(?:ATT3|CTT3|STT3)[0-9A-Za-z_=-]{60,}`},
		{name: "npm-token", pattern: `npm_[0-9A-Za-z]{36}\b`, floor: 20},
		{name: "pypi-token", pattern: `pypi-AgE[0-9A-Za-z_-]{50,}`},
		{name: "rubygems-key", pattern: `rubygems_[0-9a-f]{48}\b`},
		{name: "crates-token", pattern: `cio[0-9A-Za-z]{32}\b`, floor: 35},
		{name: "nuget-key", pattern: `oy2[0-9a-z]{43}\b`, floor: 30},
		{name: "clojars-token", pattern: `CLOJARS_[0-9A-Za-z]{60}\b`},
		{name: "dockerhub-token", pattern: `dckr_(?:pat|oat)_[0-9A-Za-z_-]{27,}`},
		{name: "docker-swarm-token", pattern: `SWM(?:TKN|KEY)-1-[0-9A-Za-z/+-]{40,}`},
		{name: "jfrog-key", pattern: `AKC[0-9A-Za-z]{10,}\b`},
		{name: "jfrog-password", pattern: `AP[0-9A-F][0-9A-Za-z]{10,60}\b`},
		{name: "jfrog-reference-token", pattern: `cmVmdGtuO[0-9A-Za-z]{40,}`},
		{name: "buildkite-token", pattern: `bk(?:ua|pt|rt|aj|ct|xt)_[0-9A-Za-z]{30,}`},
		{name: "circleci-token", pattern: `CCI(?:PAT|PRJ)_[0-9A-Za-z]{22}_[0-9a-f]{40}`},
		{name: "travis-secure", pattern: `secure: "[0-9A-Za-z+/=\\\s]{100,}"`},
		{name: "bitrise-token", pattern: `bit(?:pat|wat)_[0-9A-Za-z_-]{20,}`},
		{name: "codemagic-token", pattern: `codemagic_[0-9A-Za-z_-]{30,}`, floor: 35},
		{name: "prefect-token", pattern: `pn[ub]_[0-9A-Za-z]{36}\b`},
		{name: "terraform-token", pattern: `[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_=-]{60,70}`, back: 14, anchor: ".atlasv1."},
		{name: "pulumi-token", pattern: `pul-[0-9a-f]{40}\b`},
		{name: "doppler-token", pattern: `dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[0-9A-Za-z_-]+\.)?[0-9A-Za-z]{40,44}`},
		{name: "infracost-key", pattern: `ico-[0-9A-Za-z]{32}\b`, floor: 30},
		{name: "scalr-token", pattern: `at-[0-9a-z]{20}\.[0-9A-Za-z_-]{20,}`},
		{name: "harness-token", pattern: `(?:pat|sat)\.[0-9A-Za-z_-]{22}\.[0-9a-f]{24}\.[0-9A-Za-z]{20}`},
		{name: "vault-token", pattern: `hv[sbr]\.[0-9A-Za-z_-]{24,}`, floor: 30},
		{name: "octopus-key", pattern: `API-[0-9A-Z]{26}\b`, floor: 30},
		{name: "aikido-token", pattern: `AIK_(?:CI|CLIENT|SECRET)_[0-9A-Za-z_]{20,}`},
		{name: "sonar-token", pattern: `sq[pua]_[0-9a-f]{40}\b`},
		{name: "snyk-token", pattern: `snyk_(?:sat|uat|pat)[0-9A-Za-z_.-]{20,}`},
		{name: "mergify-key", pattern: `(?:mka_|mergify_application_key_)[0-9A-Za-z_-]{30,}`},
		{name: "codacy-token", pattern: `codacy_[0-9A-Za-z]{20,}`, floor: 35},
		{name: "artifact-age-key", pattern: `AGE-SECRET-KEY-1[0-9A-Z]{58}`},
		{name: "age-recipient", pattern: `age1[0-9a-z]{58}\b`},
		{name: "kubernetes-bootstrap-token", pattern: `bootstrap-token[ =]+[0-9a-z]{6}\.[0-9a-z]{16}\b`},
		{name: "openshift-token", pattern: `sha256~[0-9A-Za-z_-]{43}`},
		{name: "dependency-track-key", pattern: `odt_[0-9A-Za-z]{32,}\b`},
		{name: "endorlabs-key", pattern: `endr\+[0-9A-Za-z-]{16}\b`},
		{name: "thunderstore-token", pattern: `tss_[0-9A-Za-z]{20,}`, floor: 30},
		{name: "val-town-token", pattern: `vtwn_[0-9A-Za-z]{20,}`},
		{name: "workos-key", pattern: `sk_(?:live|test)?_?a2V5X[0-9A-Za-z+/=]{20,}`},
		{name: "unkey-key", pattern: `unkey_[0-9A-Za-z]{16,}`, floor: 30},
		{name: "vercel-token", pattern: `v(?:c[pikra]|cst)_[0-9A-Za-z_-]{24,}`, floor: 30},
		{name: "netlify-token", pattern: `nf[puc]_[0-9A-Za-z]{36,}`, floor: 30},
		{name: "render-key", pattern: `rnd_[0-9A-Za-z]{28,32}\b`, floor: 30},
		{name: "railway-token", pattern: `rw_[0-9A-Za-z]{30,}\b`, floor: 35},
		{name: "supabase-key", pattern: `sb(?:p|_secret|_publishable)_[0-9A-Za-z_-]{30,}`, floor: 25},
		{name: "neon-key", pattern: `napi_[0-9a-z]{40,}\b`},
		{name: "planetscale-token", pattern: `pscale_(?:tkn|oauth|pw)_[0-9A-Za-z_=.-]{32,}`},
		{name: "cloudflare-origin-key", pattern: `v1\.0-[0-9a-f]{24}-[0-9a-f]{146}`},
		{name: "tailscale-key", pattern: `tskey-[a-z]+-[0-9A-Za-z]{5,}(?:-[0-9A-Za-z]{5,})?`},
		{name: "ngrok-token", pattern: `ngrok_[0-9A-Za-z_]{30,}`, floor: 35},
		{name: "defined-networking-token", pattern: `dnkey-[0-9A-Z]{26}-[0-9A-Z]{52}`},
		{name: "settlemint-token", pattern: `sm_(?:aat|pat|sat)_[0-9A-Za-z]{16}`},
	}
}

// modelTokens are those of model providers.
func modelTokens() []token {
	return []token{
		{name: "openai-key", pattern: `sk-(?:proj|svcacct|admin|None)-[0-9A-Za-z_-]{20,}|sk-[0-9A-Za-z]{20}T3BlbkFJ[0-9A-Za-z]{20}\b`},
		{name: "anthropic-key", pattern: `sk-ant-(?:api|admin|sid|oat)[0-9]{2}-[0-9A-Za-z_-]{60,}`},
		{name: "sk-key", pattern: `sk-(?:or-v1-|api-)?[0-9A-Za-z]{32,}[0-9A-Za-z_-]*`, floor: 30},
		{name: "xai-key", pattern: `xai-[0-9A-Za-z_-]{70,}`, floor: 30},
		{name: "groq-key", pattern: `gsk_[0-9A-Za-z]{40,}`},
		{name: "cerebras-key", pattern: `csk-[0-9a-z]{40,}\b`, floor: 30},
		{name: "huggingface-token", pattern: `(?:hf_|api_org_)[0-9A-Za-z]{34,}`},
		{name: "replicate-token", pattern: `r8_[0-9A-Za-z]{37}\b`},
		{name: "perplexity-key", pattern: `pplx-[0-9A-Za-z]{32,}`, floor: 30},
		{name: "nvidia-key", pattern: `nvapi-[0-9A-Za-z_-]{60,}`},
		{name: "togetherai-key", pattern: `tgp_v1_[0-9A-Za-z_-]{40,}`},
		{name: "fireworks-key", pattern: `fw_[0-9A-Za-z]{22,}\b`, floor: 30},
		{name: "friendli-token", pattern: `flp_[0-9A-Za-z]{40,}`},
		{name: "runpod-key", pattern: `rpa_[0-9A-Z]{40}[0-9A-Za-z]*`},
		{name: "langsmith-key", pattern: `lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}`},
		{name: "tavily-key", pattern: `tvly-[0-9A-Za-z-]{32,}`, floor: 25},
		{name: "wandb-key", pattern: `wandb_v1_[0-9A-Za-z_]{40,}`},
		{name: "brave-search-key", pattern: `BSA[0-9A-Za-z_-]{26,30}\b`, floor: 35},
		{name: "elevenlabs-key", pattern: `sk_[0-9a-f]{48}\b`, floor: 25},
		{name: "coze-token", pattern: `pat_[0-9A-Za-z]{50,}\b`, floor: 35},
		{name: "kagi-token", pattern: `kagi_[0-9A-Za-z_-]{40,}`},
		{name: "pinecone-key", pattern: `pcsk_[0-9A-Za-z_]{40,}`},
		{name: "mistral-agent-key", pattern: `ms-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`},
	}
}

// businessTokens are those of payment, trade and mail.
func businessTokens() []token {
	return []token{
		{name: "stripe-key", pattern: `(?:sk|rk|pk)_(?:live|test|prod)_[0-9A-Za-z+/]{10,}`},
		{name: "stripe-webhook-secret", pattern: `whsec_[0-9A-Za-z+/]{24,}={0,2}`},
		{name: "square-token", pattern: `sq0(?:atp|csp|idp)-[0-9A-Za-z_-]{22,}|EAAA[0-9A-Za-z_-]{58,62}\b`},
		{name: "paypal-token", pattern: `access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}`},
		{name: "plaid-token", pattern: `access-(?:sandbox|development|production)-[0-9a-f]{8}-[0-9a-f-]{27}`},
		{name: "flutterwave-key", pattern: `FLW(?:SECK|PUBK)(?:_TEST)?-[0-9A-Za-z]{12,}(?:-X)?`},
		{name: "paddle-key", pattern: `pdl_(?:live|sdbx)_[0-9A-Za-z_]{30,}`},
		{name: "razorpay-key", pattern: `rzp_(?:live|test)_[0-9A-Za-z]{14,}`},
		{name: "midtrans-key", pattern: `(?:SB-)?Mid-(?:server|client)-[0-9A-Za-z_-]{16,}`},
		{name: "onfido-token", pattern: `api_(?:live|sandbox)(?:_(?:us|ca|eu))?\.[0-9A-Za-z_-]{20,}`},
		{name: "persona-key", pattern: `persona_(?:production|sandbox)_[0-9a-f-]{36}`},
		{name: "asaas-token", pattern: `\$aact_[0-9A-Za-z+/=_:$-]{30,}`, open: true},
		{name: "ramp-secret", pattern: `ramp_(?:sec|id|tok|business)_[0-9A-Za-z]{30,}`},
		{name: "mercury-token", pattern: `(?:secret-token:)?mercury_(?:production|sandbox)_[0-9A-Za-z_]{20,}`},
		{name: "polar-token", pattern: `polar_(?:oat|pat|at|rt|ci|cs|whs)_(?:[uo]_)?[0-9A-Za-z_-]{30,}`},
		{name: "rainforest-key", pattern: `(?:sbx_)?apikey_[0-9a-f]{64}`},
		{name: "proof-key", pattern: `prf_(?:[a-z]+_)?[0-9A-Za-z]{30,}`, floor: 35},
		{name: "easypost-key", pattern: `EZ[AT]K[0-9A-Za-z]{54}`},
		{name: "shippo-token", pattern: `shippo_(?:live|test)_[0-9A-Fa-f]{40}`},
		{name: "duffel-token", pattern: `duffel_(?:test|live)_[0-9A-Za-z_=-]{40,}`},
		{name: "lob-key", pattern: `(?:live|test)_(?:pub_)?[0-9a-f]{31,35}\b`},
		{name: "twitch-stream-key", pattern: `live_[0-9]{6,}_[0-9A-Za-z]{28,}`},
		{name: "sendgrid-key", pattern: `SG\.[0-9A-Za-z_=.-]{66}`, floor: 20},
		{name: "sendinblue-key", pattern: `x(?:key|smtp)sib-[0-9a-f]{64}-[0-9A-Za-z]{16}`},
		{name: "mailgun-key", pattern: `(?:key|pubkey)-[0-9a-f]{32}\b`},
		{name: "mailersend-token", pattern: `mlsn\.[0-9a-f]{64}`},
		{name: "mailchimp-key", pattern: `[0-9a-f]{32}-us[0-9]{1,2}\b`, back: 32, anchor: "-us"},
		{name: "resend-key", pattern: `re_[0-9A-Za-z]{6,10}_[0-9A-Za-z]{20,}\b`},
		{name: "postman-key", pattern: `PMAK-[0-9a-f]{24}-[0-9a-f]{34}`},
	}
}

// serviceTokens are those of chat, office and monitoring services.
func serviceTokens() []token {
	return []token{
		{name: "slack-legacy-token", pattern: `xox[ar]-[0-9A-Za-z]{8,48}`, floor: 28},
		{name: "slack-token", pattern: `xox[abeoprs]-(?:[0-9]+-)+[0-9A-Za-z-]{8,}|xox[a-z](?:\.xox[a-z])?-[0-9]-[0-9A-Za-z-]{20,}|xox[aboprs]-[0-9A-Za-z-]{24,}`},
		{name: "slack-app-token", pattern: `xapp-[0-9]-[0-9A-Z]+-[0-9]+-[0-9a-z]+`},
		{name: "slack-webhook", pattern: `hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[0-9A-Za-z+/]{16,}`, open: true},
		{name: "teams-webhook", pattern: `webhook\.office\.com/webhookb2/[0-9a-z-]{36}@[0-9a-z-]{36}/IncomingWebhook/[0-9A-Za-z/-]{40,}|outlook\.office\.com/webhook/[0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/[0-9A-Za-z/-]{40,}`, open: true},
		{name: "discord-webhook", pattern: `(?:discord|discordapp)\.com/api/webhooks/[0-9]{17,20}/[0-9A-Za-z_-]{60,}`, open: true},
		{name: "zapier-webhook", pattern: `hooks\.zapier\.com/hooks/catch/[0-9A-Za-z/]{10,}`, open: true},
		{name: "alchemy-url", pattern: `alchemy(?:api\.io|\.com)/v2/[0-9A-Za-z_-]{30,}`, open: true},
		{name: "telegram-bot-token", pattern: `[0-9]{8,10}:AA[0-9A-Za-z_-]{33}\b`, back: -1, anchor: ":AA"},
		{name: "facebook-token", pattern: `EAA[A-Z][0-9A-Za-z]{40,}|IG(?:QV|AA)[0-9A-Za-z_-]{60,}`, floor: 35},
		{name: "firebase-push-token", pattern: `APA91b[0-9A-Za-z_-]{60,}`, open: true},
		{name: "linkedin-token", pattern: `AQ[UVWX][0-9A-Za-z_-]{80,}`, floor: 40},
		{name: "twitter-bearer-token", pattern: `AAAAAAAAAAAAAAAAAAAA[0-9A-Za-z%+/=_-]{30,}`},
		{name: "dropbox-token", pattern: `sl\.(?:u\.)?[0-9A-Za-z_-]{60,}`, floor: 35},
		{name: "figma-token", pattern: `fig[dour]_[0-9A-Za-z_-]{30,}`},
		{name: "notion-token", pattern: `ntn_[0-9A-Za-z]{40,}|secret_[0-9A-Za-z]{43}\b`, floor: 30},
		{name: "linear-key", pattern: `lin_(?:api|oauth)_[0-9A-Za-z]{32,}`},
		{name: "airtable-token", pattern: `pat[0-9A-Za-z]{14}\.[0-9a-f]{64}`},
		{name: "clickup-token", pattern: `pk_[0-9]{6,9}_[0-9A-Z]{32}`},
		{name: "typeform-token", pattern: `tfp_[0-9A-Za-z_.=-]{40,}`},
		{name: "shopify-token", pattern: `shp(?:at|ca|pa|ss|ua)_[0-9A-Za-z]{28,}`},
		{name: "salesforce-token", pattern: `00D[0-9A-Za-z]{9,15}![0-9A-Za-z_.]{80,}`},
		{name: "hubspot-token", pattern: `pat-(?:na|eu|ap)[0-9]-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`},
		{name: "intercom-token", pattern: `dG9r[0-9A-Za-z+/]{50,}={0,2}`},
		{name: "contentful-token", pattern: `CFPAT-[0-9A-Za-z_-]{40,}`},
		{name: "mapbox-token", pattern: `[ps]k\.ey[0-9A-Za-z_-]{20,}\.[0-9A-Za-z_-]{16,}`},
		{name: "grafana-token", pattern: `glc_[0-9A-Za-z+/]{32,}={0,3}|glsa_[0-9A-Za-z]{32}_[0-9A-Fa-f]{8}|eyJrIjoi[0-9A-Za-z+/_-]{40,}={0,3}`, floor: 30},
		{name: "newrelic-key", pattern: `NR(?:AK|RA|II|AL|SP|JS|BR|IQ)-[0-9A-Za-z_-]{18,}`},
		{name: "newrelic-license", pattern: `[0-9a-f]{36}NRAL\b`, back: 36, anchor: "NRAL"},
		{name: "pixie-key", pattern: `px-(?:api|dep)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`},
		{name: "sentry-token", pattern: `sntry[us]_[0-9A-Za-z+/=_-]{40,}`},
		{name: "dynatrace-token", pattern: `dt0[cs][0-9]{2}\.[0-9A-Z]{24}\.[0-9A-Z]{64}`},
		{name: "posthog-key", pattern: `ph[cx]_[0-9A-Za-z_-]{40,}`, floor: 25},
		{name: "honeycomb-key", pattern: `hc[abx][im]k_[0-9a-z]{26}[0-9A-Za-z]{20,}`},
		{name: "devin-token", pattern: `cog_[0-9a-z]{40,}\b`, floor: 35},
		{name: "cockroach-key", pattern: `CCDB1_[0-9A-Za-z]{20,}_[0-9A-Za-z]{30,}`},
		{name: "voiceflow-key", pattern: `VF\.(?:DM|WS)\.[0-9A-Za-z]{20,}\.[0-9A-Za-z]{10,}`},
		{name: "ubidots-token", pattern: `BBFF-[0-9A-Za-z]{30,}`},
		{name: "nylas-key", pattern: `nyk_(?:v0_)?[0-9A-Za-z]{40,}`},
		{name: "fleetbase-key", pattern: `flb_(?:live|test)_[0-9A-Za-z]{20,}`},
		{name: "pubnub-key", pattern: `(?:pub|sub|sec)-c-[0-9A-Za-z]{8}-[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{12}`},
		{name: "zoho-token", pattern: `1000\.[0-9a-f]{32}\.[0-9a-f]{30,32}\b`},
		{name: "rootly-key", pattern: `rootly_[0-9a-f]{60,}`},
		{name: "launchdarkly-key", pattern: `(?:api|sdk|mob)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`},
		{name: "devcycle-key", pattern: `dvc_(?:server|client|mobile)_[0-9A-Za-z_]{30,}`},
		{name: "configcat-key", pattern: `configcat-(?:sdk|proxy)-[0-9]/[0-9A-Za-z_-]{22}/[0-9A-Za-z_-]{22}`},
		{name: "segment-token", pattern: `sgp_[0-9A-Za-z]{64}\b`},
		{name: "sourcegraph-token", pattern: `sgp_(?:(?:local|[0-9a-f]{16})_){0,2}[0-9a-f]{40}\b|slk_[0-9a-f]{64}`},
		{name: "databricks-token", pattern: `dapi[0-9a-f]{32}(?:-[0-9])?\b|dapi[0-9a-z]{32}\b|dose[0-9a-f]{32}\b`},
		{name: "databento-key", pattern: `db-[0-9A-Za-z]{29}\b`, floor: 30},
		{name: "mongodb-atlas-secret", pattern: `mdb_sa_(?:sk|id)_[0-9A-Za-z_-]{20,}`},
		{name: "readme-key", pattern: `rdme_[0-9a-z]{70}`},
		{name: "lichess-token", pattern: `lip_[0-9A-Za-z]{20,}`, floor: 25},
		{name: "wakatime-key", pattern: `waka_[0-9a-f]{8}-[0-9a-f-]{27}`},
		{name: "apify-token", pattern: `apify_(?:api|proxy)_[0-9A-Za-z]{30,}`},
		{name: "scrapfly-key", pattern: `scp-(?:live|test)-[0-9a-f]{32}`},
		{name: "zuplo-key", pattern: `zp(?:ka|rk)_[0-9A-Za-z]{32}_[0-9a-f]{8}`},
		{name: "cursor-key", pattern: `(?:crsr|key)_[0-9a-f]{60,}`},
		{name: "onepassword-secret-key", pattern: `A3-[0-9A-Z]{6,7}-(?:[0-9A-Z]{11}|[0-9A-Z]{6}-[0-9A-Z]{5}|[0-9A-Z]{5,12})(?:-[0-9A-Z]{5}){2,3}`},
		{name: "onepassword-service-token", pattern: `ops_ey[0-9A-Za-z+/]{100,}={0,3}`},
		{name: "authress-key", pattern: `(?:sc|ext|scauth|authress)_[0-9A-Za-z]{5,30}\.[0-9A-Za-z]{4,6}\.acc[_-][0-9A-Za-z-]{10,32}\.[0-9A-Za-z+/_=-]{30,}`},
		{name: "sidekiq-credentials", pattern: `BUNDLE_(?:ENTERPRISE|GEMS)__CONTRIBSYS__COM[A-Za-z_]{0,12}[^0-9A-Za-z]{1,24}(?:string[^0-9A-Za-z]{1,8})?[0-9a-f]{8}:[0-9a-f]{8}`},
		{name: "sidekiq-url", pattern: `://[0-9a-f]{8}:[0-9a-f]{8}@(?:gems|enterprise)\.contribsys\.com`, open: true},
	}
}
