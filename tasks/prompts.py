import tomllib,hashlib
from dataclasses import dataclass
from pathlib import Path
@dataclass
class T:
    name:str; digest:str; preamble:str; example:str; query:str; stop:list; exemplars:list
    def render(self,q,shots): return self.preamble+"".join(self.example.replace("{question}",e["question"]).replace("{solution}",e["solution"]) for e in self.exemplars[:shots])+self.query.replace("{question}",q)
def load_template(name):
    p=Path(__file__).parent/"generate"/"prompts"/f"{name}.toml"
    d=tomllib.loads(p.read_text())
    return T(d["name"],hashlib.sha256(p.read_bytes()).hexdigest(),d["preamble"],d.get("example",""),d["query"],d["stop"],d.get("exemplars",[]))
