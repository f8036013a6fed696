import{_ as m}from"../chunks/D80JSns_.js";export{m as component};
