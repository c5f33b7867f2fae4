package wire

// object is the definition that the protocol gives to an object: which names it knows, and what lies under them. In
// such an object a name that differs from a known one only in case is refused, because some parsers ignore case.
type object uint8

// The objects that the protocol defines. In free objects (arguments, schemas, structured content, values of _meta) any
// name goes.
const (
	free object = iota
	envelope
	params
	paramsMeta
	meta
	capabilities
	implementation
	reference
	argument
	resultObject
	errorObject
	tool
	prompt
	promptArgument
	resource
	content
	contents
	message
	annotations
	icon
	inputRequests
	inputRequest
	inputResponses
	inputResponse
	task
	completion
	modelPreferences
	subscriptionFilter
	root
	inputParams // params of a request inside a result: the names of params, none of them remembered
	answer      // result that an agent returns: the content of a form is the user's own
	objectCount
)

// field is one known name of an object: where to remember its value, and what object its value is or, where the value
// is an array, its elements are.
type field struct {
	name   string
	member Member
	inner  object
}

var answerFields = []field{
	{"action", none, free},
	{"content", none, free},
	{"role", none, free},
	{"model", none, free},
	{"stopReason", none, free},
	{"roots", none, root},
	{"_meta", none, meta},
}

// grammar is the part of the protocol's schema that the proxy must not misread: all revisions, both directions.
// A name that is "*" stands for every name.
var grammar = [objectCount][]field{
	envelope: {
		{"jsonrpc", jsonrpc, free},
		{"id", ID, free},
		{"method", Method, free},
		{"params", Params, params},
		{"result", Result, resultObject},
		{"error", Error, errorObject},
	},
	params: {
		{"_meta", ParamsMeta, paramsMeta},
		{"name", ParamsName, free},
		{"uri", ParamsURI, free},
		{"arguments", ParamsArguments, free},
		{"cursor", ParamsCursor, free},
		{"protocolVersion", ParamsProtocolVersion, free},
		{"capabilities", ParamsCapabilities, capabilities},
		{"clientInfo", ParamsClientInfo, implementation},
		{"ref", ParamsRef, reference},
		{"argument", none, argument},
		{"context", none, free},
		{"level", ParamsLevel, free},
		{"logger", none, free},
		{"data", none, free},
		{"progressToken", ParamsProgressToken, free},
		{"progress", none, free},
		{"total", none, free},
		{"message", none, free},
		{"requestId", ParamsRequestID, free},
		{"reason", none, free},
		{"task", ParamsTask, task},
		{"taskId", ParamsTaskID, free},
		{"status", none, free},
		{"ttl", none, free},
		{"requestState", ParamsRequestState, free},
		{"inputResponses", ParamsInputResponses, inputResponses},
		{"notifications", ParamsNotifications, subscriptionFilter},
		{"mode", none, free},
		{"url", none, free},
		{"elicitationId", none, free},
		{"requestedSchema", none, free},
		{"messages", none, message},
		{"systemPrompt", none, free},
		{"modelPreferences", none, modelPreferences},
		{"includeContext", none, free},
		{"maxTokens", none, free},
		{"temperature", none, free},
		{"stopSequences", none, free},
		{"metadata", none, free},
		{"tools", none, tool},
		{"toolChoice", none, free},
	},
	paramsMeta: {
		{"progressToken", MetaProgressToken, free},
		{"io.modelcontextprotocol/protocolVersion", MetaProtocolVersion, free},
		{"io.modelcontextprotocol/clientInfo", MetaClientInfo, implementation},
		{"io.modelcontextprotocol/clientCapabilities", MetaClientCapabilities, capabilities},
		{"io.modelcontextprotocol/logLevel", MetaLogLevel, free},
		{"io.modelcontextprotocol/subscriptionId", MetaSubscriptionID, free},
		{"io.modelcontextprotocol/related-task", none, task},
	},
	meta: {
		{"io.modelcontextprotocol/serverInfo", none, implementation},
		{"io.modelcontextprotocol/subscriptionId", none, free},
		{"io.modelcontextprotocol/related-task", none, task},
	},
	capabilities: {
		{"experimental", none, free},
		{"extensions", none, free},
		{"sampling", none, free},
		{"elicitation", none, free},
		{"roots", none, free},
		{"tasks", none, free},
		{"tools", none, free},
		{"prompts", none, free},
		{"resources", none, free},
		{"logging", none, free},
		{"completions", none, free},
	},
	implementation: {{"name", none, free}, {"version", none, free}, {"title", none, free}, {"icons", none, icon}},
	reference:      {{"type", RefType, free}, {"name", RefName, free}, {"uri", RefURI, free}, {"title", none, free}},
	argument:       {{"name", none, free}, {"value", none, free}},
	resultObject: {
		{"_meta", ResultMeta, meta},
		{"resultType", ResultType, free},
		{"tools", ResultTools, tool},
		{"prompts", ResultPrompts, prompt},
		{"resources", ResultResources, resource},
		{"resourceTemplates", ResultTemplates, resource},
		{"nextCursor", ResultNextCursor, free},
		{"cacheScope", ResultCacheScope, free},
		{"ttlMs", ResultTTL, free},
		{"content", ResultContent, content},
		{"structuredContent", ResultStructured, free},
		{"isError", ResultIsError, free},
		{"contents", none, contents},
		{"messages", none, message},
		{"description", none, free},
		{"protocolVersion", ResultProtocolVersion, free},
		{"supportedVersions", ResultSupportedVersions, free},
		{"capabilities", ResultCapabilities, capabilities},
		{"serverInfo", ResultServerInfo, implementation},
		{"instructions", ResultInstructions, free},
		{"inputRequests", ResultInputRequests, inputRequests},
		{"requestState", ResultRequestState, free},
		{"completion", none, completion},
		{"task", ResultTask, task},
		{"tasks", ResultTasks, task},
		{"taskId", none, free},
		{"status", none, free},
		{"role", none, free},
		{"model", none, free},
		{"stopReason", none, free},
		{"action", none, free},
		{"roots", none, root},
	},
	errorObject: {{"code", ErrorCode, free}, {"message", ErrorMessage, free}, {"data", ErrorData, free}},
	tool: {
		{"name", none, free},
		{"title", none, free},
		{"description", none, free},
		{"inputSchema", none, free},
		{"outputSchema", none, free},
		{"annotations", none, annotations},
		{"execution", none, free},
		{"icons", none, icon},
		{"_meta", none, meta},
	},
	prompt: {
		{"name", none, free},
		{"title", none, free},
		{"description", none, free},
		{"arguments", none, promptArgument},
		{"icons", none, icon},
		{"_meta", none, meta},
	},
	promptArgument: {{"name", none, free}, {"title", none, free}, {"description", none, free}, {"required", none, free}},
	resource: {
		{"uri", none, free},
		{"uriTemplate", none, free},
		{"name", none, free},
		{"title", none, free},
		{"description", none, free},
		{"mimeType", none, free},
		{"annotations", none, annotations},
		{"size", none, free},
		{"icons", none, icon},
		{"_meta", none, meta},
	},
	content: {
		{"type", none, free},
		{"text", none, free},
		{"data", none, free},
		{"mimeType", none, free},
		{"resource", none, contents},
		{"uri", none, free},
		{"name", none, free},
		{"title", none, free},
		{"description", none, free},
		{"annotations", none, annotations},
		{"icons", none, icon},
		{"size", none, free},
		{"id", none, free},
		{"input", none, free},
		{"toolUseId", none, free},
		{"content", none, content},
		{"structuredContent", none, free},
		{"isError", none, free},
		{"_meta", none, meta},
	},
	contents: {
		{"uri", none, free},
		{"mimeType", none, free},
		{"text", none, free},
		{"blob", none, free},
		{"_meta", none, meta},
	},
	message: {{"role", none, free}, {"content", none, content}, {"_meta", none, meta}},
	annotations: {
		{"audience", none, free},
		{"priority", none, free},
		{"lastModified", none, free},
		{"title", none, free},
		{"readOnlyHint", none, free},
		{"destructiveHint", none, free},
		{"idempotentHint", none, free},
		{"openWorldHint", none, free},
	},
	icon:           {{"src", none, free}, {"mimeType", none, free}, {"sizes", none, free}, {"theme", none, free}},
	inputRequests:  {{"*", none, inputRequest}},
	inputRequest:   {{"method", none, free}, {"params", none, inputParams}},
	inputResponses: {{"*", none, inputResponse}},
	inputResponse:  answerFields,
	answer:         answerFields,
	task: {
		{"taskId", none, free},
		{"status", none, free},
		{"statusMessage", none, free},
		{"ttl", none, free},
		{"ttlMs", none, free},
		{"pollInterval", none, free},
		{"pollIntervalMs", none, free},
		{"createdAt", none, free},
		{"lastUpdatedAt", none, free},
	},
	completion:         {{"values", none, free}, {"total", none, free}, {"hasMore", none, free}},
	modelPreferences:   {{"hints", none, free}, {"costPriority", none, free}, {"speedPriority", none, free}, {"intelligencePriority", none, free}},
	subscriptionFilter: {{"toolsListChanged", none, free}, {"promptsListChanged", none, free}, {"resourcesListChanged", none, free}, {"resourceSubscriptions", none, free}},
	root:               {{"uri", none, free}, {"name", none, free}, {"_meta", none, meta}},
}
