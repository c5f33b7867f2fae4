package guardrails

// personal are the entities of personal data that package detect knows.
const personal = `
ABA_ROUTING_NUMBER AE_EMIRATES_ID AR_CUIT AT_SVNR AU_ABN AU_ACN AU_MEDICARE AU_TFN BE_NRN BG_EGN BR_CNPJ BR_CPF CA_SIN
CH_AHV CL_RUT CN_RESIDENT_ID CREDIT_CARD CRYPTO CZ_RODNE_CISLO DATE_OF_BIRTH DE_BSNR DE_FUEHRERSCHEIN DE_HANDELSREGISTER
DE_HEALTH_INSURANCE DE_ID_CARD DE_KFZ DE_LANR DE_PASSPORT DE_PLZ DE_SOCIAL_SECURITY DE_TAX_ID DE_TAX_NUMBER DE_VAT_ID DK_CPR
EE_LT_ID EMAIL_ADDRESS ES_NIE ES_NIF ES_PASSPORT FI_PERSONAL_IDENTITY_CODE FR_NIR GR_AFM HK_ID HR_OIB HU_TAJ IBAN_CODE ICCID
ID_NIK IE_PPS IL_ID IMEI IMSI IN_AADHAAR IN_GSTIN IN_PAN IN_PASSPORT IN_VEHICLE_REGISTRATION IN_VOTER IP_ADDRESS
IS_KENNITALA IT_DRIVER_LICENSE IT_FISCAL_CODE IT_IDENTITY_CARD IT_PASSPORT IT_VAT_CODE JP_MY_NUMBER KR_BRN KR_DRIVER_LICENSE
KR_FRN KR_PASSPORT KR_RRN LU_ID MAC_ADDRESS MEDICAL_LICENSE MX_CURP MX_RFC MY_NRIC NG_NIN NG_VEHICLE_REGISTRATION NL_BSN
NO_FNR PHONE_NUMBER PH_TIN PL_NIP PL_PESEL PL_REGON PT_NIF RO_CNP SE_ORGANISATIONSNUMMER SE_PERSONNUMMER SG_NRIC_FIN SG_UEN
SWIFT_BIC TH_TNIN TR_LICENSE_PLATE TR_NATIONAL_ID TW_NATIONAL_ID UK_DRIVING_LICENCE UK_NHS UK_NINO UK_PASSPORT UK_POSTCODE
UK_UTR UK_VEHICLE_REGISTRATION US_BANK_NUMBER US_DRIVER_LICENSE US_EIN US_ITIN US_MBI US_NPI US_PASSPORT US_SSN VIN
ZA_ID_NUMBER
`

// others are the secrets, instructions and hidden texts that package detect knows.
const others = `
age-recipient aikido-token airtable-token alchemy-url alibaba-access-key anthropic-key apify-token artifact-age-key
asaas-token atlassian-token authorization authress-key aws-access-key aws-appsync-key aws-bedrock-key
aws-bedrock-session-key aws-mws-token azure-client-secret azure-devops-token basic-auth bitbucket-token bitrise-token
brave-search-key buildkite-token cerebras-key circleci-token clickup-token clojars-token cloudflare-origin-key cockroach-key
codacy-token codemagic-token configcat-key contentful-token coze-token crates-token cursor-key databento-key
databricks-token defined-networking-token dependency-track-key devcycle-key devin-token digitalocean-token
direction-override discord-webhook discord-bot-token docker-swarm-token dockerhub-token doppler-token dropbox-token duffel-token
dynatrace-token easypost-key elevenlabs-key endorlabs-key exoscale-key facebook-token figma-token firebase-push-token
fireworks-key fleetbase-key flutterwave-key fly-token friendli-token gcp-access-token gcp-api-key gcp-gemini-key
gcp-oauth-secret gcp-refresh-token generic-secret gitea-token github-fine-grained-token github-token gitlab-runner-token
gitlab-session gitlab-token grafana-token groq-key harness-token heroku-key honeycomb-key hopgate-key hubspot-token huggingface-token
ibm-cloud-key infomaniak-token infracost-key intercom-token jfrog-key jfrog-password jfrog-reference-token jwt kagi-token
kubernetes-bootstrap-token kubernetes-secret langsmith-key launchdarkly-key lichess-token linear-key linkedin-token lob-key
mailchimp-key mailersend-token mailgun-key mapbox-token mercury-token mergify-key midtrans-key mistral-agent-key
mongodb-atlas-secret neon-key netlify-token newrelic-key newrelic-license ngrok-token notion-token npm-token nuget-key
nvidia-key nylas-key obfuscated octopus-key onepassword-secret-key onepassword-service-token onfido-token openai-key
openshift-token override own-credential paddle-key password password-hash paypal-token perplexity-key persona-key pinecone-key pixie-key
plaid-token planetscale-token polar-token posthog-key postman-key prefect-token private-key proof-key pubnub-key
pulumi-token pypi-token railway-token rainforest-key ramp-secret razorpay-key readme-key render-key replicate-token
resend-key rootly-key rubygems-key runpod-key salesforce-token scaleway-key scalr-token scrapfly-key segment-token
sendgrid-key sendinblue-key sentry-token settlemint-token shippo-token shopify-token sidekiq-credentials sidekiq-url
signed-url sk-key slack-app-token slack-legacy-token slack-token slack-webhook snyk-token sonar-token sourcegraph-token square-token stripe-key
stripe-webhook-secret supabase-key tag-characters tailscale-key tavily-key teams-webhook telegram-bot-token
tencent-secret-id terminal-escape terraform-token thunderstore-token togetherai-key travis-secure twilio-id
twitch-stream-key twitter-bearer-token typeform-token ubidots-token unkey-key upcloud-token url-credentials val-town-token
variation-selectors vault-token vercel-token voiceflow-key wakatime-key wandb-key workos-key xai-key wallet-key yandex-api-key
yandex-iam-token zapier-webhook zero-width zoho-token zuplo-key
`
