"""Questions with fixed answers, and questions the model must decline."""

FALLBACK = (
    "I am only the tiny built-in model. I can repeat a word, count, add two digits, "
    "tell a story and say what a mesh is. For more, load a larger model."
)

QUESTIONS = [
    (["Hello", "Hi", "Hey", "Hello!", "Hi there", "Good morning", "Good evening", "Hello there", "Greetings"],
     "Hello! I am the built-in model of mesh-node. How can I help?"),
    (["How are you?", "How are you doing?", "How do you do?", "Are you well?"],
     "I am well, thank you. All my layers are in place."),
    (["Who are you?", "What are you?", "What is your name?", "Introduce yourself", "What model are you?",
      "Which model is this?", "Who am I talking to?", "Are you an AI?", "Tell me about yourself"],
     "I am the built-in model of mesh-node: tiny, trained from scratch, and here so that you see real tokens at once."),
    (["What is a mesh?", "What is the mesh?", "Explain what a mesh is", "What does mesh mean?", "Describe a mesh",
      "Tell me what a mesh is", "What is a mesh network?", "Explain the mesh"],
     "A mesh is a group of machines that trust each other and pool their models behind one endpoint."),
    (["What is mesh-node?", "What is mesh node?", "What does mesh-node do?", "Explain mesh-node", "Describe mesh-node",
      "Tell me about mesh-node", "What is this program?"],
     "mesh-node runs on each machine of a mesh. It serves the models it has and uses the models its peers have."),
    (["How do I add a machine?", "How do I add another machine?", "How can I add a machine?", "How do I join a mesh?",
      "How do I add a node?", "How do I invite a friend?", "How does a machine join?", "How to add a machine?"],
     "Make a ticket on a machine that is a member, then start mesh-node with that ticket on the new machine."),
    (["How do I add a model?", "How do I load a model?", "How do I load a larger model?", "How can I add a model?",
      "How do I use another model?", "How do I get a better model?"],
     "Give mesh-node a GGUF file or an OpenAI-compatible server. Each peer of the mesh can then use it too."),
    (["What is a node?", "What is a peer?", "What does a node do?", "Explain what a node is"],
     "A node is one machine of the mesh. It runs mesh-node."),
    (["What is a ticket?", "What is a mesh ticket?", "What does a ticket do?", "Explain tickets"],
     "A ticket is a signed invitation to a mesh. It has a scope, it expires, and it can be revoked."),
    (["What is a relay?", "What is the relay?", "What does the relay do?", "What is a relay for?", "Explain the relay"],
     "A relay helps nodes find and admit each other. It never sees a prompt."),
    (["What happens if a machine fails?", "What happens when a peer dies?", "What if a machine goes away?",
      "What happens if a node dies?", "Does a stream survive a crash?", "What if a peer fails?"],
     "Another machine that has the model goes on from the last token, so the stream survives its server."),
    (["Is it private?", "Who can see my prompts?", "Are my prompts private?", "Is the mesh private?", "Is this safe?"],
     "Prompts travel encrypted between the members of your mesh, and they are not logged."),
    (["What can you do?", "Help", "Help me", "What do you know?", "What are you good at?", "How can you help me?"],
     "I can repeat a word, count, add two digits, tell a story and say what a mesh is."),
    (["Thanks", "Thank you", "Thank you!", "Thanks a lot", "Many thanks", "Great, thanks"], "You are welcome."),
    (["Bye", "Goodbye", "See you", "Good night", "See you later"], "Goodbye!"),
    (["Ping", "ping", "Are you there?", "Are you alive?", "Test", "This is a test", "test"], "I am here."),
    (["Who made you?", "Who trained you?", "Where do you come from?", "How were you made?", "How big are you?",
      "How were you trained?"],
     "A small program in the mesh-node repository trained me, from scratch, on text that it wrote itself."),
    (["What is the answer to life?", "What is the meaning of life?", "What is the answer to everything?"], "42"),
]

STRAY = [
    "Why is the {0} {1}?", "Why do {0}s {1}?", "Who was {3}?", "Who is {3}?", "What is {0}?", "What is a {0}?",
    "What is the {0} of {3}?", "Where is {3}?", "When did {3} {1}?", "How do I {0} a {1}?", "How does a {0} work?",
    "Write a poem about {0}", "Write a song about a {0}", "Write code to {0} a {1}", "Write a function that {0}s {1}",
    "Translate {0} to French", "Translate this to German: {0} {1}", "Explain {0}", "Explain how {0} works",
    "Summarize {0}", "Describe the {0}", "Give me a recipe for {0}", "What should I {0} today?", "Do you like {0}?",
    "Can a {0} {1}?", "Is {0} better than {1}?", "What is the difference between {0} and {1}?", "I like {0} and {1}.",
    "My {0} is {1}.", "List five {0}s", "Name a {0}", "What is the capital of {3}?", "What time is it?",
    "What is the weather in {3}?", "Why is the sky blue?", "Who won the {0}?", "How many {0}s are in a {1}?",
    "Fix this {0}: {1} {2}", "{0}", "{3}", "{0} {1} {2}", "Should I {0} the {1}?", "How old is {3}?",
    "What color is a {0}?",
    "Tell me about {0}", "Tell me a joke", "Tell me a joke about {0}", "What is {0} made of?", "Define {0}",
    "import {0}",
]
