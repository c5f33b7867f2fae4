package detect

// What names say. A name is split into words; the last word that means something decides, as in "token_ttl",
// which is a time, and "ttl_token", which is a token.

// grade says how sure a name is that its value is a secret.
type grade uint8

const (
	gradeNone   grade = iota
	gradeNot          // the name says that the value is something else
	gradeVendor       // only a service's name
	gradeWeak         // "key", "auth": a secret if the value is token-like and something else supports it
	gradeToken        // "token", "api key", "secret"
	gradePass         // "password"
)

// secretWords are what the automaton looks for; the grade is what the name says if it ends here.
func secretWords() map[string]grade {
	return map[string]grade{
		"password": gradePass, "passwd": gradePass, "passphrase": gradePass, "passwort": gradePass, "contraseña": gradePass, "motdepasse": gradePass,
		"kennwort": gradePass, "losungswort": gradePass, "zugangsschlussel": gradePass, "parola d'ordine": gradePass, "parola_ordine": gradePass, "contrasena": gradePass, "mot de passe": gradePass, "mot_de_passe": gradePass, "mot-de-passe": gradePass, "haslo": gradePass, "losenord": gradePass,
		"adgangskode": gradePass, "salasana": gradePass, "heslo": gradePass, "sifre": gradePass, "parola": gradePass, "parool": gradePass, "jelszo": gradePass, "lozinka": gradePass, "slaptazodis": gradePass,
		"mat khau": gradePass, "mat_khau": gradePass, "kata sandi": gradePass, "kata_sandi": gradePass, "katasandi": gradePass, "clave secreta": gradeToken, "clave_secreta": gradeToken, "clave_api": gradeToken, "clave de acceso": gradePass,
		"cle api": gradeToken, "cle_api": gradeToken, "cle secrete": gradeToken, "chave_api": gradeToken, "chave secreta": gradeToken, "chiave api": gradeToken, "chiave segreta": gradeToken, "schlussel": gradeWeak, "geheimnis": gradeToken,
		"klucz api": gradeToken, "jeton": gradeToken, "pw": gradePass, "bindpw": gradePass, "psk": gradePass, "senha": gradePass, "wachtwoord": gradePass, "passcode": gradePass, "pwd": gradePass, "pass": gradePass, "userpass": gradePass,
		"secret": gradeToken, "token": gradeToken, "apikey": gradeToken, "api_key": gradeToken, "api-key": gradeToken, "api key": gradeToken,
		"access_key": gradeToken, "access-key": gradeToken, "accesskey": gradeToken, "access key": gradeToken, "private_key": gradeToken, "private-key": gradeToken, "privatekey": gradeToken,
		"private key": gradeToken, "secretkey": gradeToken, "auth_key": gradeToken, "authkey": gradeToken, "license_key": gradeToken, "licence_key": gradeToken, "licensekey": gradeToken,
		"account_key": gradeToken, "accountkey": gradeToken, "sharedaccesskey": gradeToken, "master_key": gradeToken, "masterkey": gradeToken, "signing_key": gradeToken,
		"encryption_key": gradeToken, "app_key": gradeToken, "appkey": gradeToken, "application_key": gradeToken, "applicationkey": gradeToken, "client_key": gradeToken, "server_key": gradeToken, "serverkey": gradeToken,
		"deploy_key": gradeToken, "deploykey": gradeToken, "subscription-key": gradeToken, "subscription_key": gradeToken, "record_key": gradeToken, "ingest_key": gradeToken, "integration_key": gradeToken,
		"sdk_key": gradeToken, "root_key": gradeToken, "write_key": gradeToken, "service_key": gradeToken, "personal_key": gradeToken, "consumer_key": gradeToken, "storage_key": gradeToken, "credential": gradeToken,
		"authorization": gradeToken, "bearer": gradeToken, "cookie": gradeWeak, "jwt": gradeWeak, "webhook": gradeWeak, "dsn": gradeWeak, "mnemonic": gradeToken,
		"key": gradeWeak, "auth": gradeWeak, "api": gradeWeak, "creds": gradeToken, "access": gradeWeak, "private": gradeWeak, "_pat": gradeToken, "pin": gradeWeak, "client": gradeWeak, "license": gradeWeak,
		"_id": gradeWeak, "account": gradeWeak, "session": gradeWeak, "signature": gradeWeak, "conn": gradeWeak, "_sk": gradeWeak, "access_id": gradeToken, "accessid": gradeToken, "secret_id": gradeToken,
	}
}

// tails are words that, standing last in a name, make it something else.
func tails() []string {
	return []string{
		"ttl", "policy", "rotation", "days", "expires", "expiry", "expiration", "length", "size", "type", "name", "names", "file", "path", "url", "uri", "endpoint", "host", "version", "format", "count", "limit",
		"hint", "hash", "field", "label", "id", "ids", "at", "in", "timeout", "enabled", "required", "algorithm", "alg", "prefix", "suffix", "regex", "pattern", "chars", "min", "max", "usage", "usages", "budget", "reset",
		"variable", "var", "column", "index", "class", "event", "pressed", "code", "codes", "date", "time", "status", "store", "provider", "manager", "service", "helper", "validator", "generator", "error",
		"dir", "location", "ref", "reference", "description", "placeholder", "strength", "meshing", "str", "address", "bindings", "binding", "keyid", "keyname", "fingerprint", "thumbprint", "vault", "vaultname", "tag",
		"results", "secretsid", "accessor", "issuer", "audience", "scope", "scopes", "info", "exists", "valid", "changed", "level", "set", "frame", "distance", "mode", "keytab", "keyset", "layout", "map", "constraint",
	}
}

// heads are words that, standing before the secret word, make it something else.
func heads() []string {
	return []string{
		"public", "primary", "foreign", "sort", "partition", "progress", "cache", "composite", "unique", "page", "next", "cursor", "continuation", "csrf", "xsrf", "hot", "short", "sequence", "schema", "row", "hash", "candidate",
		"max", "min", "num", "total", "input", "output", "prompt", "completion", "prompts", "object", "map", "dict", "idempotency", "no", "bypass", "message", "routing", "group", "dedup", "translation", "i18n", "arrow", "shift", "surrogate", "natural", "valid",
		"non", "by", "over", "under", "key_id",
	}
}

// begins are what other words begin with that end like a secret's: "compass", "monkey".
func begins() []string {
	return []string{"hop", "tab", "mon", "tur", "jo", "don", "hoc", "whis", "com", "ran", "tres", "sur", "encom", "des"}
}

// vendors are names of services whose keys are given away beside the name alone, in lower case.
const vendors = `runscope tefter dareboost fulcrum geckoboard centralstationcrm vbout speechtextai riot keen clay vast aikido retell documo restpack retellai lmstudio bitpanda voiceflow ubidots openphone cohere deepinfra hyperbolic novita featherless abstractapi abuseipdb accuweather adafruit adobe adzuna aeroworkflow agora ahrefs aiven airbrake airship airtable airvisual aisle alchemy algolia alibaba alienvault allsports amadeus ambee amplitude
anthropic anypoint apacta api2cart apideck apiflash apifonica apify apilayer apimatic apiscience apitemplate apollo appcues appfollow appointedd appoptics appsflyer appsynergy apptivo artifactory artsy asana assemblyai atera
audd auth0 autodesk autoklose autopilot avazapersonal aviationstack aws axonaut aylien ayrshare azure bannerbear baremetrics baseten beamer beebole besnappy besttime betterstack billomat bing bitbar bitbucket bitcoinaverage bitfinex bitly bitmex
blablabus blazemeter blitapp blockchain blocknative blogger bombbomb boostnote borgbase box braintree brandfetch branch browserstack browshot bscscan bugherd bugsnag buildkite bulbul bulksms buttercms caflou calendarific calendly calorieninja campayn
cannyio capsulecrm captaindata carboninterface cashboard caspio censys centralstation cerebras cexio chartmogul chatbot chatfule checio checklyhq checkout checkvist cicero circleci civo clarifai clearbit clickhelp clickhouse clicksend clicksendsms clickup cliengo
clinchpad clockify clockwork closecrm cloudconvert cloudelements cloudflare cloudimage cloudinary cloudmersive cloudplan cloudsight cloudsmith cloverly cloze clustdoc coda codacy codeclimate codecov codemagic codequiry coinapi coinbase coinlayer coinlib
collect2 column commercejs commodities companyhub confluent contentful contentstack convertkit convier copper couchbase countrylayer courier coveralls craftmypdf crowdin cryptocompare currencycloud currencyfreaks currencylayer currencyscoop currentsapi customerguru customerio cypress
d7network dailyco dandelion databricks datadog datafire datagov dbt debounce deepai deepgram deepl deepseek delighted demio deputy detectify detectlanguage devcycle deviantart dfuse diffbot diggernaut digicert digitalocean discord disqus ditto dnscheck docparser documo docusign
doppler dotdigital dovico drone dronahq droneci dropbox duply dwolla dynalist dyspatch dynatrace eagleeyenetworks easyinsight easypost ecostruxure edamam edenai eightxeight elastic elasticemail elevenlabs enablex endor endorlabs enigma envoy eraser etherscan ethplorer etsy eventbrite everhour exa
exchangerate exoscale exportsdk extractorapi facebook faceplusplus facepp fastforex fastly feedier fetchrss fibery figma fileio filestack finage financialmodelingprep findl finicity finnhub firebase fireworks fixer fixerio flatio fleetbase flickr flightapi flightlabs flightstats float flowdash flowflu flutterwave
fmfw formbucket formcraft formio formsite foursquare frameio freeagent freemius freshbooks freshdesk freshservice fullstory fusebill fxmarket gcp gemini gengo geoapify geocode geocodify geocodio geoipify getemail getemails getgeoapi getgist getresponse getsandbox github gitlab gitter giphy glassnode glitterly goodday
google gocardless gocanvas graphcms graphhopper grafana greptile groovehq groq gtmetrix guardian guru gumroad gyazo happi happyscribe harvest harness heatmapapi hellosign helpcrunch helpscout hereapi heroku hetzner hiveage hive holidayapi holistic honeybadger honeycomb host hotjar html2pdf hubspot huggingface humanity hunter hybiscus hypertrack
iconfinder iexapis iexcloud imagekit imagga impala infura influx influxdb infobip inmobi insightly instabot instagram instamojo intercom interseller intra42 intrinio invoiceocean ip2location ipapi ipdata ipgeolocation ipify ipinfo ipinfodb ipquality ipstack jfrog jina jira jiratoken jotform jumpcloud jupiterone juro
kagi kanban kanbantool karmacrm keenio kickbox kimi klaviyo klipfolio knapsackpro kontent kraken kucoin kylas langchain langsmith languagelayer larksuite lark launchdarkly leadfeeder lemlist lemonsqueezy lendflow lessannoyingcrm lexigram lichess lighton linear linearapi linemessaging linenotify linkedin linkpreview linode liveagent livestorm loadmill lob locationiq
loggly logdna loginradius logzio lokalise looker loyverse lunchmoney luno macaddress madkudu magicbell magnetic mailboxlayer mailchimp mailerlite mailgun mailjet mailjetsms mailmodo mailsac mandrill mapbox mapquest marketstack mattermost mavenlink maxmind mediastack meaningcloud meistertask meraki mesibo messagebird metaapi metabase metrilo microsoft midise
mindmeister minimax miro mistral mite mixmax mixpanel mockaroo moderation monday mongodb moonclerk moonshot moosend moralis mrticktock mux myfreshworks myintervals nasdaq nethunt netlify neon neutrinoapi newrelic newsapi newscatcher newsdata nexmo nftport ngrok nicereply nimble nitro noticeable notion nozbeteams npm nuget numverify nutritionix nvidia nylas nytimes
okta ollama omnisend onedesk onelogin onepagecrm onesignal onfido onfleet onwater ooopspam openai opencagedata opengraphr openrouter openuv openvpn openweather openweathermap optimizely optidash orbit ovh overloop owlbot packagecloud paddle pagerduty pandadoc pandascore paradigm paralleldots parashift parsehub parsers parseur partnerstack passbase pastebin paydirtapp paymoapp paymongo paypal paystack
pdflayer pdfshift peopledatalabs pepipost percy perplexity persona phraseaccesstoken pinata pinecone pinterest pipedream pipedrive pivotaltracker pixabay plaid planetscale planview planyo plivo podio pollsapi poloniex polygon polymarket portainer positionstack posthog postageapi postbacks postman postmark powrbot prefect privacy prodpad prospectcrm prospectio protocolsio proxycrawl pubnub pulumi purestake
pushbullet pusher pypi qase qualaroo qubole quickmetrics rabbitmq raiseme railway ramp rapidapi raven rawg razorpay reachmail readme readonly reallysimplesystems rebrandly rechargepayments redis refiner remove rentman repairshopr replicate replyio resend requestfinance restpack restpackhtml rev revamp revampcrm rev riteKit roaring rocketreach rollbar roninapp rootly route4me rownd rubygems runpod runrunit
salesblink salescookie salesflare salesforce salesmate samsara satismeter saucelabs sauce scaleway scalr scrapeowl scraperapi scraperbox scraper scrapestack scrapfly scrapingant scrapingbee scrutinizer screenshotapi screenshotlayer securitytrails segment selectpdf semaphore sendbird sendgrid sendinblue sentiment sentry serphouse serpstack sheety sherpadesk shipday shippo shodan shopify shortcut shotstack shutterstock sidekiq
signable signalwire signaturit signupgenius sigopt simfin simplesat simplynoted simvoly sinch sirv siteleaf skrappio skrapp skybiometry slack smartsheets smartystreets smooch snipcart snowflake snyk softlayer sonar sonarcloud sonarqube sourcegraph sparkpost speechtext splunk spoonacular sportsmonk spotify square squareup squarespace sslmate stability stabilityai statuscake statuspage statuspal stitchdata stockdata
storecove stormboard stormglass storyblok storychief strava streak stripe stripo stytch sugester sumologic sumo supabase supernotes surge surveyanyplace surveybot surveysparrow survicate swell swiftype tableau tailscale tallyfy tatum tavily taxjar teamgate teams teamworkcrm teamworkdesk telegram teletype telnyx terraform testingbot text2data textmagic theoddsapi thinkific thousandeyes ticketmaster tickettailor tiingo timecamp
timezoneapi todoist togetherai together toggl tokeet tomorrowio tomtom travelpayouts travisci trello truenas tru twelvedata twilio twist twitch twitter tyntec typeform typetalk ubidots uclassify unifyid unkey unplugg unplu unsplash upcdatabase upcloud uplead uploadcare uptimerobot upstage upwave urlscan userflow userstack vagrantcloud vast vatlayer vault veevavault vercel verifier verimail veriphone versioneye viewneo vimeo
virustotal visualcrossing voicegain voiceflow vonage voodoosms vouchery vpnapi vultr vyte waka wakatime walkscore wandb weatherbit weatherstack web3storage webex webflow webscraper webscraping websitepulse wepay whatsapp whoxy wistia wiz woocommerce worksnaps workato workos workstack worldcoinindex worldweather wrike x-api yandex yelp yext yousign youtube zapier zendesk zenkit zenrows zenscrape zenserp zeplin zerobounce zeplin zillow zipapi zipbooks zipcodeapi zipcodebase
zohocrm zoho zonka zoom zuplo alibabacloud bitrise cohere coze friendli gcloud hasura harbor ibm infracost lightspeed logz mercury onyx openstack pendo pixie plunk rancher shipstation temporal truelayer turso twingate upstash weaviate xai xata zhipu`
